/* SPDX-License-Identifier: GPL-2.0-or-later */
/* error.h - one line for the operator: what, which, why and the mend. */
#ifndef SLUICE_ERROR_H
#define SLUICE_ERROR_H

struct sl_error {
	char text[512];
};

#endif /* SLUICE_ERROR_H */
