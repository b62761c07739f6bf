// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_adopt.c - attach where something is already: a program that others loaded, one that is to be
 * replaced, pins of an interface that is gone or that lies in another network namespace.
 */
#include <sys/wait.h>

#include "attach_rig.h"

/* The object as the build under test leaves it (TB_BUILD: scripts/check). */
static const char *object(void)
{
	static char path[PATH_MAX];
	const char *build = getenv("TB_BUILD");

	snprintf(path, sizeof(path), "%s/bpf/steer.bpf.o", build ? build : "build");
	return path;
}

TestSuite(adopt, .init = setup, .timeout = 120);

Test(adopt, ip_link_object_is_adopted_and_configured)
{
	const char *ifaces[] = {"slpe0"};
	struct sl_attach_opts opts = options(ifaces, 1);
	struct sl_instance *inst;
	uint32_t prog;

	testnet_veth("slpe0", 2);
	cr_assert_eq(run("ip link set dev slpe0 xdpdrv obj %s sec xdp", object()), 0);
	prog = prog_on("slpe0");
	inst = open_instance("slpe0");
	cr_assert_not(inst->control->flags & SL_CTL_READY);
	cr_assert(inst->iface[0].adopted);
	cr_assert_eq(inst->hash_buckets, SL_DEFAULT_BUCKETS);
	sl_instance_close(inst);
	opts.buckets = 4096;
	ATTACH(&opts, -EINVAL);
	cr_assert(strstr(err.text, "--buckets"), "%s", err.text);
	opts.buckets = 0;
	opts.instance = "slpe.wan";
	ATTACH(&opts, 0);
	cr_assert_eq(prog_on("slpe0"), prog, "adopting loads nothing");
	cr_assert_not(is_pinned("slpe0"), "it is called slpe.wan now");
	inst = open_instance("slpe0");
	cr_assert_str_eq(inst->name, "slpe.wan");
	cr_assert(inst->control->flags & SL_CTL_READY);
	sl_instance_close(inst);
	DETACH("slpe.wan", 0);
	cr_assert_eq(prog_on("slpe0"), 0);
	cr_assert_not(is_pinned("slpe.wan"));
}

Test(adopt, xdp_loader_object_is_adopted)
{
	const char *ifaces[] = {"slpf0"};
	struct sl_attach_opts opts = options(ifaces, 1);

	testnet_veth("slpf0", 1);
	if (run("LIBXDP_SKIP_DISPATCHER=1 xdp-loader load -m native slpf0 %s >/dev/null 2>&1",
		object()))
		cr_skip_test("xdp-loader cannot load here");
	ATTACH(&opts, 0);
	DETACH("slpf0", 0);
	cr_assert_eq(prog_on("slpf0"), 0);
}

Test(adopt, other_abi_is_refused)
{
	const char *ifaces[] = {"slpg0"};
	struct sl_attach_opts opts = options(ifaces, 1);
	char path[] = "/tmp/slpg-XXXXXX";
	int fd;

	testnet_veth("slpg0", 1);
	fd = mkstemp(path);
	cr_assert_geq(fd, 0);
	close(fd);
	/* The object as another version would have it: only the number in its .rodata differs. */
	cr_assert_eq(
		run("llvm-objcopy --dump-section .rodata=%s.ro %s %s && "
		    "at=0x$(llvm-objdump -t %s | sed -n 's/ .* sluice_abi$//p') && "
		    "printf '\\143' | dd of=%s.ro bs=1 seek=$((at)) conv=notrunc status=none && "
		    "llvm-objcopy --update-section .rodata=%s.ro %s %s",
		    path, object(), path, object(), path, path, object(), path),
		0);
	cr_assert_eq(run("ip link set dev slpg0 xdpdrv obj %s sec xdp", path), 0);
	run("rm -f %s %s.ro", path, path);
	cr_assert_eq(open_result("slpg0"), -EPROTO, "%s", err.text);
	cr_assert(strstr(err.text, "ABI 99"), "%s", err.text);
	ATTACH(&opts, -EPROTO);
	opts.replace = true;
	ATTACH(&opts, -EPROTO);
	cr_assert_neq(prog_on("slpg0"), 0);
}

Test(adopt, replace_keeps_state)
{
	const char *ifaces[] = {"slpi0"};
	struct sl_attach_opts opts = options(ifaces, 1);
	struct sl_instance *inst;
	struct sl_rule rules[2];
	uint64_t key;
	uint32_t prog;

	testnet_veth("slpi0", 1);
	ATTACH(&opts, 0);
	prog = prog_on("slpi0");
	inst = open_instance("slpi0");
	inst->rows[3] = 5;
	inst->iface[0].bucket_stats[9].packets = 77;
	key = inst->control->hash_key[0];
	sl_instance_close(inst);
	opts.replace = true;
	opts.rules_n = 0;
	opts.buckets = 2048;
	ATTACH(&opts, -EINVAL);
	cr_assert_eq(prog_on("slpi0"), prog);
	opts.buckets = 0;
	opts.mode = SL_XDP_GENERIC;
	ATTACH(&opts, -EINVAL);
	cr_assert(strstr(err.text, "--mode") && strstr(err.text, "detach"), "%s", err.text);
	cr_assert_eq(prog_on("slpi0"), prog);
	opts.mode = SL_XDP_NATIVE;
	ATTACH(&opts, 0);
	cr_assert_neq(prog_on("slpi0"), prog, "another program");
	inst = open_instance("slpi0");
	cr_assert_eq(inst->rows[3], 5);
	cr_assert_eq(inst->iface[0].bucket_stats[9].packets, 77);
	cr_assert_eq(inst->control->hash_key[0], key);
	cr_assert_eq(sl_rules_get(inst, rules, 2), 1);
	cr_assert(rules[0].all);
	sl_instance_close(inst);
	DETACH("slpi0", 0);
}

Test(adopt, replace_unites_what_ip_link_loaded)
{
	const char *ifaces[] = {"slpj0", "slpj1"};
	struct sl_attach_opts opts = options(ifaces, 2);
	struct sl_instance *inst;

	testnet_veth("slpj0", 1);
	testnet_veth("slpj1", 1);
	cr_assert_eq(run("ip link set dev slpj0 xdpdrv obj %s sec xdp", object()), 0);
	cr_assert_eq(run("ip link set dev slpj1 xdpdrv obj %s sec xdp", object()), 0);
	sl_instance_close(open_instance("slpj1"));
	ATTACH(&opts, -EEXIST);
	opts.replace = true;
	opts.instance = "slpj";
	opts.buckets = 128;
	ATTACH(&opts, 0);
	inst = open_instance("slpj1");
	cr_assert_str_eq(inst->name, "slpj");
	cr_assert_eq(inst->ifaces, 2);
	cr_assert_eq(inst->hash_buckets, 128);
	sl_instance_close(inst);
	cr_assert_not(is_pinned("slpj1"));
	DETACH("slpj", 0);
	cr_assert_eq(prog_on("slpj0"), 0);
	cr_assert_eq(prog_on("slpj1"), 0);
}

/* Somebody removed the pins: the program is configured, and belongs to no instance. */
Test(adopt, replace_names_what_nobody_pins)
{
	const char *ifaces[] = {"slps0"};
	struct sl_attach_opts opts = options(ifaces, 1);
	struct sl_instance *inst;

	testnet_veth("slps0", 1);
	cr_assert_eq(run("ip link set dev slps0 xdpdrv obj %s sec xdp", object()), 0);
	ATTACH(&opts, 0);
	sl_pin_remove("slps0");
	opts.replace = true;
	opts.instance = "slps.new";
	ATTACH(&opts, 0);
	inst = open_instance("slps0");
	cr_assert_str_eq(inst->name, "slps.new");
	sl_instance_close(inst);
	/* Now it belongs to one. */
	opts.instance = "slps.other";
	ATTACH(&opts, -EINVAL);
	cr_assert(strstr(err.text, "slps.new") && strstr(err.text, "--instance"), "%s", err.text);
	DETACH("slps.new", 0);
}

/* Those who open while the program is swapped wait for it: they neither fail nor adopt. */
Test(adopt, opening_during_replace)
{
	const char *ifaces[] = {"slpq0"};
	struct sl_attach_opts opts = options(ifaces, 1);
	int status;
	pid_t child;

	testnet_veth("slpq0", 1);
	opts.instance = "slpq";
	ATTACH(&opts, 0);
	opts.replace = true;
	child = fork();
	if (!child) {
		for (unsigned i = 0; i < 300; i++)
			if (open_result("slpq0")) {
				fprintf(stderr, "open %u: %s\n", i, err.text);
				_exit(1);
			}
		_exit(0);
	}
	while (!waitpid(child, &status, WNOHANG))
		ATTACH(&opts, 0);
	cr_assert_eq(status, 0);
	cr_assert_not(is_pinned("slpq0"));
	DETACH("slpq", 0);
}

Test(adopt, pins_of_a_gone_interface_are_cleaned)
{
	const char *ifaces[] = {"slpl0"};
	struct sl_attach_opts opts = options(ifaces, 1);
	int rc;

	testnet_veth("slpl0", 1);
	ATTACH(&opts, 0);
	cr_assert_eq(run("ip link del slpl0"), 0);
	cr_assert_eq(open_result("slpl0"), -ENODEV);
	testnet_veth("slpl0", 1);
	ATTACH(&opts, 0);
	sl_instance_close(open_instance("slpl0"));
	cr_assert_eq(run("ip link del slpl0"), 0);
	/* Any other attach on this machine may have swept it up first. */
	rc = sl_detach("slpl0", false, &err);
	cr_assert(rc == 0 || rc == -ENODEV, "%d, %s", rc, err.text);
	cr_assert_not(is_pinned("slpl0"));
	/* Under another name, too. */
	testnet_veth("slpl0", 1);
	opts.instance = "slpl-old";
	ATTACH(&opts, 0);
	cr_assert_eq(run("ip link del slpl0"), 0);
	testnet_veth("slpl0", 1);
	opts.instance = "slpl-new";
	ATTACH(&opts, 0);
	cr_assert_not(is_pinned("slpl-old"));
	DETACH("slpl-new", 0);
}

Test(adopt, same_name_in_two_namespaces)
{
	const char *ifaces[] = {"slpm0"};
	struct sl_attach_opts opts = options(ifaces, 1);
	int status;
	pid_t child;

	testnet_veth("slpm0", 1);
	ATTACH(&opts, 0);
	child = fork();
	if (!child) {
		if (unshare(CLONE_NEWNET) || run("ip link add slpm0 type veth peer name slpm0p"))
			_exit(1);
		if (open_result("slpm0") != -ENODEV)
			_exit(2);
		if (sl_attach(&opts, &err) != -EEXIST || !strstr(err.text, "--instance"))
			_exit(3);
		if (sl_detach("slpm0", false, &err) != -ENODEV)
			_exit(4);
		opts.instance = "slpm-other";
		if (sl_attach(&opts, &err) || open_result("slpm0"))
			_exit(5);
		_exit(0); /* without a detach: its pins are stale from here on */
	}
	waitpid(child, &status, 0);
	cr_assert(WIFEXITED(status) && !WEXITSTATUS(status), "step %d", WEXITSTATUS(status));
	sl_instance_close(open_instance("slpm0"));
	opts.instance = "slpm-other";
	DETACH("slpm0", 0);
	/* The kernel takes a namespace down by and by: till then the name is in use. */
	for (unsigned i = 0; i < 100 && sl_attach(&opts, &err) == -EEXIST; i++)
		usleep(50000);
	sl_instance_close(open_instance("slpm-other"));
	DETACH("slpm-other", 0);
}
