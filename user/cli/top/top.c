// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice top: collect, draw, wait for a key; the terminal is put back on every way out. */
#include <errno.h>
#include <locale.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/target.h"
#include "cli/top/collect.h"
#include "cli/top/screen.h"

struct top_config {
	const char *name;
	uint64_t interval;
	uint32_t count;
};

static volatile sig_atomic_t stop; /* a signal's only way to tell */

static void on_signal(int number)
{
	stop = number;
}

static void catch_signals(void)
{
	const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction sa = {.sa_handler = on_signal};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &sa, NULL);
}

static int check_terminal(struct sl_error *err)
{
	const char *term = getenv("TERM");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return sl_error_set(err, -ENOTTY,
				    "top needs a terminal; `sluice status` prints the same once");
	if (!term || !*term)
		return sl_error_set(err, -ENOTTY, "top needs to know the terminal; set TERM");
	return 0;
}

/* The interface's name, if one went away under us. */
static const char *gone(const struct sl_instance *inst)
{
	for (unsigned i = 0; i < inst->ifaces; i++)
		if (!if_nametoindex(inst->iface[i].name))
			return inst->iface[i].name;
	return NULL;
}

/* Draw until q, a signal, `count` pictures, or the interface's end. */
static int loop(const struct sl_instance *inst, struct collector *collector,
		const struct top_config *config, struct sl_error *err)
{
	struct screen *screen = screen_open(err);
	const char *lost = NULL;
	uint32_t drawn = 0;

	if (!screen)
		return -EIO;
	collect(collector, inst);
	while (!stop && !lost && !screen_wait(screen, config->interval)) {
		screen_draw(screen, collect(collector, inst));
		if (config->count && ++drawn >= config->count)
			break;
		lost = gone(inst);
	}
	screen_close(screen);
	if (lost)
		return sl_error_set(err, -ENODEV, "interface %s is gone", lost);
	return 0;
}

int cmd_top(int argc, char **argv)
{
	static const struct opt_arg args[] = {
		ARG_INSTANCE(struct top_config, name),
		ARG_END,
	};
	static const struct opt options[] = {
		OPT_DURATION(struct top_config, interval, 'i', "interval", "TIME", 100e6, 60e9,
			     "time between two pictures (default 333ms)"),
		OPT_U32(struct top_config, count, 'n', "count", "N", 1, 0, "end after N pictures"),
		OPT_END,
	};
	static const struct opt_spec spec = {"top", "Show an instance live on the whole screen",
					     args, options, "Keys: q ends, space redraws.\n"};
	struct top_config config = {.interval = 333000000};
	struct collector *collector;
	struct sl_instance *inst;
	struct sl_error err;
	int ret, status;

	if (!opt_parse(&spec, argc, argv, &config, &status))
		return status;
	ret = check_terminal(&err);
	if (!ret)
		ret = target_open(config.name, &inst, &err);
	if (ret)
		return opt_refuse(&spec, ret, &err);
	setlocale(LC_ALL, "");
	catch_signals();
	collector = collector_new(inst);
	ret = collector ? loop(inst, collector, &config, &err)
			: sl_error_set(&err, -ENOMEM, "no memory");
	collector_free(collector);
	sl_instance_close(inst);
	return ret ? cli_fail(&err) : 0;
}
