// SPDX-License-Identifier: GPL-2.0-or-later
/* police: from text to what it does, and prefixes back to text. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/police.h"
#include "nf/wire.h"

/*
 * With no burst given: 100 ms of the rate, some round-trip times, and ten frames of an ordinary
 * MTU at least, or TCP never gets as far as the rate.
 */
#define BURST_DEFAULT_S 0.1
#define FRAME 1514.0
#define BURST_FRAMES 10
#define BURST_MAX_S (POLICE_IDLE_MS / 1000.0)
#define RATE_MAX 1e12 /* bytes or packets a second */
#define BYTES_MIN 125.0 /* a second; a frame of 4,096 bytes takes half a minute */

struct place {
	char *err;
	size_t size;
};

static int refuse(const struct place *where, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(const struct place *where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(where->err, where->size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* "10M", "1.5k": units of 1000. The rest of the text, or NULL. */
static const char *read_number(const char *text, double *n)
{
	static const char units[] = "kMG";
	size_t used = strspn(text, "0123456789.");
	const char *unit;
	char *end;

	*n = strtod(text, &end);
	if (!used || end != text + used)
		return NULL;
	unit = *end ? strchr(units, *end) : NULL;
	for (long i = unit ? unit - units + 1 : 0; i > 0; i--)
		*n *= 1000;
	return unit ? end + 1 : end;
}

static int parse_rate(struct police *p, const char *word, const struct place *where)
{
	const char *unit = read_number(word, &p->per_second);
	double least = 1;

	p->packets = unit && !strcmp(unit, "pps");
	if (!unit || (!p->packets && strcmp(unit, "bit") != 0))
		return refuse(where, "'%s' is no rate: write police:10Mbit or police:5kpps", word);
	if (!p->packets) {
		p->per_second /= 8;
		least = BYTES_MIN;
	}
	if (p->per_second < least || p->per_second > RATE_MAX)
		return refuse(where,
			      "'%s' is out of range: write 1kbit to 8000Gbit, or 1pps to 1000Gpps",
			      word);
	return 0;
}

static int parse_burst(struct police *p, const char *text, const struct place *where)
{
	const char *end = read_number(text, &p->burst);

	if (!end || *end || p->burst < 1)
		return refuse(where, "burst=%s: write a number of %s, such as 200 or 15k", text,
			      p->packets ? "packets" : "bytes");
	if (!p->packets && p->burst < FRAME)
		return refuse(
			where,
			"burst=%s is less than a frame, which would never pass: write %.0f or more",
			text, FRAME);
	return 0;
}

/* --- prefixes -------------------------------------------------------------------------------- */

static police_addr read_addr(const uint8_t *bytes, unsigned n)
{
	police_addr a = 0;

	for (unsigned i = 0; i < n; i++)
		a |= (police_addr)bytes[i] << (120 - 8 * i);
	return a;
}

static int parse_length(const char *text, unsigned most, unsigned *length)
{
	unsigned long n;
	char *end;

	n = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || n > most)
		return -EINVAL;
	*length = (unsigned)n;
	return 0;
}

static int parse_net(struct police_net *net, const char *text, const struct place *where)
{
	const char *slash = strchrnul(text, '/');
	unsigned bits, length;
	char addr[INET6_ADDRSTRLEN];
	uint8_t bytes[16];

	snprintf(addr, sizeof(addr), "%.*s", (int)(slash - text), text);
	if (inet_pton(AF_INET, addr, bytes) == 1)
		net->family = 4;
	else if (inet_pton(AF_INET6, addr, bytes) == 1)
		net->family = 6;
	else
		return refuse(where,
			      "'%s' is no prefix: write 10.0.0.0/8, 2001:db8::/32 or an address",
			      text);
	bits = length = net->family == 4 ? 32 : 128;
	if (*slash && parse_length(slash + 1, bits, &length))
		return refuse(where, "'%s': the length of an IPv%u prefix is 0 to %u", text,
			      net->family, bits);
	net->len = (uint8_t)length;
	net->mask = length ? ~(police_addr)0 << (128 - length) : 0;
	net->addr = read_addr(bytes, bits / 8);
	if (net->addr & ~net->mask)
		return refuse(where, "'%s' has bits set behind its %u: clear them, or write /%u",
			      text, length, bits);
	return 0;
}

void police_print_net(const struct police_net *net, unsigned bits, size_t cell, char *text,
		      size_t size)
{
	police_addr a = net->addr;
	char addr[INET6_ADDRSTRLEN];
	uint8_t bytes[16];

	if (bits)
		a |= (police_addr)cell << (128 - net->len - bits);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(a >> (120 - 8 * i));
	inet_ntop(net->family == 4 ? AF_INET : AF_INET6, bytes, addr, sizeof(addr));
	snprintf(text, size, "%s/%u", addr, net->len + bits);
}

/* --- the whole ------------------------------------------------------------------------------- */

static int parse_per(struct police *p, const char *text, unsigned *length,
		     const struct place *where)
{
	if (!strcmp(text, "flow"))
		p->per = PER_FLOW;
	else if (!strcmp(text, "all"))
		p->per = PER_ALL;
	else if (!strncmp(text, "src/", 4) && !parse_length(text + 4, 128, length))
		p->per = PER_SRC;
	else if (!strncmp(text, "dst/", 4) && !parse_length(text + 4, 128, length))
		p->per = PER_DST;
	else
		return refuse(where, "per=%s: write flow, all, src/LENGTH or dst/LENGTH", text);
	return 0;
}

/* Each prefix of `length` bits has a bucket of its own: as many as there are in src or dst. */
static int count_cells(struct police *p, unsigned length, const struct place *where)
{
	const struct police_net *net = p->per == PER_SRC ? &p->src : &p->dst;
	const char *side = p->per == PER_SRC ? "src" : "dst";
	unsigned most = net->family == 4 ? 32 : 128;

	if (p->per != PER_SRC && p->per != PER_DST)
		return 0;
	if (!net->family)
		return refuse(where, "per=%s/%u: write %s=PREFIX too, in which those prefixes lie",
			      side, length, side);
	if (most > net->len + (unsigned)POLICE_CELL_BITS)
		most = net->len + (unsigned)POLICE_CELL_BITS;
	if (length < net->len || length > most)
		return refuse(where,
			      "per=%s/%u: write a length from %u, that of %s=, to %u: %u buckets "
			      "at most",
			      side, length, net->len, side, most, 1u << POLICE_CELL_BITS);
	p->cell_bits = (uint8_t)(length - net->len);
	return 0;
}

static int decide_depth(struct police *p, const struct place *where)
{
	double least = p->packets ? BURST_FRAMES : BURST_FRAMES * FRAME;
	double most = p->per_second * BURST_MAX_S;

	if (p->burst == 0) {
		p->burst = p->per_second * BURST_DEFAULT_S;
		p->burst = p->burst < least ? least : p->burst;
		p->burst = p->burst > most ? most : p->burst;
	}
	if (p->burst > most)
		return refuse(where,
			      "burst=%.0f is more than a minute of the rate: write %.0f or less",
			      p->burst, most);
	p->rate = token_rate(p->per_second, p->burst);
	return 0;
}

/* Words end at a colon with NAME= behind it: those of an IPv6 address have none. */
static char *next_word(char **rest)
{
	char *word = *rest, *colon = word;

	if (!word)
		return NULL;
	*rest = NULL;
	while ((colon = strchr(colon, ':'))) {
		size_t name = strspn(++colon, "abcdefghijklmnopqrstuvwxyz");

		if (!name || colon[name] != '=')
			continue;
		colon[-1] = '\0';
		*rest = colon;
		break;
	}
	return word;
}

static int parse_words(struct police *p, char *text, const struct place *where)
{
	unsigned length = 0;
	char *word = next_word(&text);
	int ret = parse_rate(p, word, where);

	while (!ret && (word = next_word(&text))) {
		if (!strncmp(word, "burst=", 6))
			ret = parse_burst(p, word + 6, where);
		else if (!strncmp(word, "src=", 4))
			ret = parse_net(&p->src, word + 4, where);
		else if (!strncmp(word, "dst=", 4))
			ret = parse_net(&p->dst, word + 4, where);
		else if (!strncmp(word, "per=", 4))
			ret = parse_per(p, word + 4, &length, where);
		else
			ret = refuse(where,
				     "'%s': write burst=SIZE, src=PREFIX, dst=PREFIX or per=WHAT",
				     word);
	}
	if (!ret)
		ret = count_cells(p, length, where);
	return ret ? ret : decide_depth(p, where);
}

int police_parse(struct police *p, const char *args, char *err, size_t err_size)
{
	const struct place where = {err, err_size};
	char *text = strdup(args);
	int ret;

	if (!text)
		return refuse(&where, "no memory");
	ret = parse_words(p, text, &where);
	free(text);
	return ret;
}
