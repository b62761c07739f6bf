/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.h - information for the operator, through the program's own function (sl_dataplane_opts.log).
 */
#ifndef SL_DATAPLANE_LOG_H
#define SL_DATAPLANE_LOG_H

#include <stdio.h>

#include "dataplane/internal.h"

#define dp_log(dp, ...)                                                                            \
	do {                                                                                       \
		char line_[512];                                                                   \
		if ((dp)->opts.log) {                                                              \
			snprintf(line_, sizeof(line_), __VA_ARGS__);                               \
			(dp)->opts.log(line_);                                                     \
		}                                                                                  \
	} while (0)

#endif /* SL_DATAPLANE_LOG_H */
