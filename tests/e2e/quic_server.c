// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * quic_server - a server of HTTP/3 on libngtcp2 that has its id in all connection ids that it
 * issues (QUIC-LB), for quic.bats. It answers every request with its name.
 *
 *	quic_server ADDRESS PORT KEY CERTIFICATE NAME [CONFIG:SERVER_ID:NONCE_LENGTH[:KEY]]...
 *
 * SERVER_ID and KEY in hexadecimal digits. It issues by the first; at SIGUSR1 by the next. Without
 * any its connection ids are of no configuration (7).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "quic_lb.h"

#define PRIORITY                                                                                   \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:-GROUP-ALL:+GROUP-X25519:"         \
	"+GROUP-SECP256R1:%DISABLE_TLS13_COMPAT_MODE"
#define SPECS_MAX 4
#define PACKET 1452
#define FAILOVER_CID 12

struct spec {
	struct sl_lb_quic_config config;
	unsigned number;
	__u64 id[2];
};

struct connection {
	ngtcp2_crypto_conn_ref ref;
	ngtcp2_conn *quic;
	gnutls_session_t tls;
	ngtcp2_cid original; /* what the client called us first */
	int64_t answer; /* the stream that is owed one; -1 */
	size_t answered;
	bool done;
	struct connection *next;
};

static struct {
	int fd;
	struct sockaddr_storage local;
	socklen_t local_n;
	gnutls_certificate_credentials_t credentials;
	struct spec specs[SPECS_MAX];
	unsigned specs_n;
	uint8_t secret[32];
	uint8_t answer[64];
	size_t answer_n;
	struct connection *connections;
} server;

static volatile sig_atomic_t turn, stop;

static void on_signal(int sig)
{
	if (sig == SIGUSR1)
		turn = turn + 1;
	else
		stop = 1;
}

static ngtcp2_tstamp now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (ngtcp2_tstamp)t.tv_sec * NGTCP2_SECONDS + (ngtcp2_tstamp)t.tv_nsec;
}

static void random_octets(void *to, size_t n)
{
	if (getrandom(to, n, 0) != (ssize_t)n)
		exit(1);
}

/* --- connection ids */

static unsigned cid_length(void)
{
	const struct spec *s = &server.specs[0];

	/* All are as long: short headers do not tell. */
	return server.specs_n ? 1u + s->config.server_id_length + s->config.nonce_length
			      : FAILOVER_CID;
}

static void new_cid(ngtcp2_cid *cid)
{
	uint8_t octets[SL_LB_QUIC_CID_MAX], nonce[SL_LB_QUIC_CID_MAX];
	const struct spec *s;
	unsigned n = cid_length();

	if (server.specs_n) {
		s = &server.specs[(unsigned)turn < server.specs_n ? (unsigned)turn
								  : server.specs_n - 1];
		random_octets(nonce, s->config.nonce_length);
		n = sl_quic_encode(&s->config, (uint8_t)(s->number << 5 | (n - 1)), s->id, nonce,
				   octets);
	} else {
		random_octets(octets, n);
		octets[0] = (uint8_t)(7 << 5 | (n - 1));
	}
	ngtcp2_cid_init(cid, octets, n);
}

static int get_new_connection_id(ngtcp2_conn *conn, ngtcp2_cid *cid, uint8_t *token, size_t cidlen,
				 void *user)
{
	(void)conn;
	(void)user;
	new_cid(cid);
	if (cid->datalen != cidlen)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return ngtcp2_crypto_generate_stateless_reset_token(token, server.secret,
							    sizeof(server.secret), cid)
		       ? NGTCP2_ERR_CALLBACK_FAILURE
		       : 0;
}

static unsigned hex(const char *text, size_t n, uint8_t *octets)
{
	for (size_t i = 0; i < n / 2; i++)
		if (sscanf(text + 2 * i, "%2hhx", &octets[i]) != 1)
			exit(2);
	return (unsigned)(n / 2);
}

static void read_spec(const char *text)
{
	struct spec *s = &server.specs[server.specs_n++];
	char id_text[40] = "", key_text[40] = "";
	uint8_t id[16] = {0}, key[16];
	unsigned nonce, n;

	if (server.specs_n > SPECS_MAX || sscanf(text, "%u:%30[0-9a-f]:%u:%32[0-9a-f]", &s->number,
						 id_text, &nonce, key_text) < 3)
		exit(2);
	n = (unsigned)strlen(id_text) / 2;
	hex(id_text, strlen(id_text), id + sizeof(id) - n);
	s->id[0] = sl_quic_load(id);
	s->id[1] = sl_quic_load(id + 8);
	if (*key_text)
		hex(key_text, 32, key);
	if (!sl_quic_lengths_fit(n, nonce))
		exit(2);
	sl_quic_configure(&s->config, n, nonce, *key_text ? key : NULL);
}

/* --- a connection */

static ngtcp2_conn *ref_conn(ngtcp2_crypto_conn_ref *ref)
{
	return ((struct connection *)ref->user_data)->quic;
}

static void random_cb(uint8_t *to, size_t n, const ngtcp2_rand_ctx *ctx)
{
	(void)ctx;
	random_octets(to, n);
}

/* Requests are streams 0, 4, ...; what they ask for is not looked at. */
static int recv_stream_data(ngtcp2_conn *conn, uint32_t flags, int64_t stream, uint64_t offset,
			    const uint8_t *data, size_t n, void *user, void *stream_user)
{
	struct connection *c = user;

	(void)offset;
	(void)data;
	(void)stream_user;
	ngtcp2_conn_extend_max_stream_offset(conn, stream, n);
	ngtcp2_conn_extend_max_offset(conn, n);
	if (!(stream & 3) && (flags & NGTCP2_STREAM_DATA_FLAG_FIN)) {
		c->answer = stream;
		c->answered = 0;
	}
	return 0;
}

static int tls_start(struct connection *c)
{
	const gnutls_datum_t alpn = {(unsigned char *)"h3", 2};

	c->ref = (ngtcp2_crypto_conn_ref){ref_conn, c};
	if (gnutls_init(&c->tls, GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET) ||
	    gnutls_priority_set_direct(c->tls, PRIORITY, NULL) ||
	    ngtcp2_crypto_gnutls_configure_server_session(c->tls) ||
	    gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE, server.credentials) ||
	    gnutls_alpn_set_protocols(c->tls, &alpn, 1, GNUTLS_ALPN_MANDATORY))
		return -1;
	gnutls_session_set_ptr(c->tls, &c->ref);
	return 0;
}

static int quic_start(struct connection *c, const ngtcp2_pkt_hd *hd, const ngtcp2_path *path)
{
	static const ngtcp2_callbacks callbacks = {
		.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
		.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb,
		.encrypt = ngtcp2_crypto_encrypt_cb,
		.decrypt = ngtcp2_crypto_decrypt_cb,
		.hp_mask = ngtcp2_crypto_hp_mask_cb,
		.recv_stream_data = recv_stream_data,
		.rand = random_cb,
		.get_new_connection_id = get_new_connection_id,
		.update_key = ngtcp2_crypto_update_key_cb,
		.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
		.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
		.get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb,
		.version_negotiation = ngtcp2_crypto_version_negotiation_cb,
	};
	ngtcp2_transport_params params;
	ngtcp2_settings settings;
	ngtcp2_cid own;

	ngtcp2_settings_default(&settings);
	settings.initial_ts = now();
	ngtcp2_transport_params_default(&params);
	params.original_dcid = hd->dcid;
	params.initial_max_stream_data_bidi_remote = 65536;
	params.initial_max_stream_data_uni = 65536;
	params.initial_max_data = 1 << 20;
	params.initial_max_streams_bidi = 100;
	params.initial_max_streams_uni = 3;
	params.max_idle_timeout = 30 * NGTCP2_SECONDS;
	params.active_connection_id_limit = 7;
	new_cid(&own);
	c->original = hd->dcid;
	if (ngtcp2_conn_server_new(&c->quic, &hd->scid, &own, path, hd->version, &callbacks,
				   &settings, &params, NULL, c))
		return -1;
	ngtcp2_conn_set_tls_native_handle(c->quic, c->tls);
	return 0;
}

static void connection_free(struct connection *c)
{
	if (c->quic)
		ngtcp2_conn_del(c->quic);
	if (c->tls)
		gnutls_deinit(c->tls);
	free(c);
}

static struct connection *connection_new(const uint8_t *packet, size_t n, const ngtcp2_path *path)
{
	struct connection *c;
	ngtcp2_pkt_hd hd;

	if (ngtcp2_accept(&hd, packet, n))
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		exit(1);
	c->answer = -1;
	if (tls_start(c) || quic_start(c, &hd, path)) {
		connection_free(c);
		return NULL;
	}
	c->next = server.connections;
	server.connections = c;
	return c;
}

static bool is_of(const struct connection *c, const ngtcp2_cid *dcid)
{
	ngtcp2_cid own[32];
	size_t n = ngtcp2_conn_get_num_scid(c->quic);

	if (ngtcp2_cid_eq(&c->original, dcid))
		return true;
	if (n > sizeof(own) / sizeof(own[0]))
		return false;
	ngtcp2_conn_get_scid(c->quic, own);
	for (size_t i = 0; i < n; i++)
		if (ngtcp2_cid_eq(&own[i], dcid))
			return true;
	return false;
}

static struct connection *find(const uint8_t *packet, size_t n)
{
	ngtcp2_version_cid vc;
	struct connection *c;
	ngtcp2_cid dcid;

	if (ngtcp2_pkt_decode_version_cid(&vc, packet, n, cid_length()) ||
	    vc.dcidlen > NGTCP2_MAX_CIDLEN)
		return NULL;
	ngtcp2_cid_init(&dcid, vc.dcid, vc.dcidlen);
	for (c = server.connections; c; c = c->next)
		if (!c->done && is_of(c, &dcid))
			return c;
	return NULL;
}

/* --- packets */

/* All that the connection has to say now. */
static void speak(struct connection *c)
{
	uint8_t packet[PACKET];
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info info;
	ngtcp2_ssize n, taken;
	ngtcp2_vec vec;

	ngtcp2_path_storage_zero(&ps);
	for (;;) {
		vec.base = server.answer + c->answered;
		vec.len = server.answer_n - c->answered;
		taken = -1;
		n = ngtcp2_conn_writev_stream(
			c->quic, &ps.path, &info, packet, sizeof(packet), &taken,
			c->answer < 0 ? NGTCP2_WRITE_STREAM_FLAG_NONE
				      : NGTCP2_WRITE_STREAM_FLAG_FIN,
			c->answer, c->answer < 0 ? NULL : &vec, c->answer < 0 ? 0 : 1, now());
		if (n < 0) {
			c->done = true;
			return;
		}
		if (taken >= 0 && c->answer >= 0) {
			c->answered += (size_t)taken;
			if (c->answered == server.answer_n)
				c->answer = -1;
		}
		if (!n)
			return;
		sendto(server.fd, packet, (size_t)n, 0, ps.path.remote.addr,
		       ps.path.remote.addrlen);
	}
}

static void hear(void)
{
	struct sockaddr_storage from;
	socklen_t from_n = sizeof(from);
	uint8_t packet[65536];
	ssize_t n = recvfrom(server.fd, packet, sizeof(packet), MSG_DONTWAIT,
			     (struct sockaddr *)&from, &from_n);
	ngtcp2_path path = {{(struct sockaddr *)&server.local, server.local_n},
			    {(struct sockaddr *)&from, from_n},
			    NULL};
	ngtcp2_pkt_info info = {0};
	struct connection *c;

	if (n <= 0)
		return;
	c = find(packet, (size_t)n);
	if (!c)
		c = connection_new(packet, (size_t)n, &path);
	if (!c)
		return;
	if (ngtcp2_conn_read_pkt(c->quic, &path, &info, packet, (size_t)n, now()))
		c->done = true;
	else
		speak(c);
}

/* Timers, and the end of those that are done. How long until the next, ms. */
static int tick(void)
{
	ngtcp2_tstamp next = now() + NGTCP2_SECONDS, expiry;

	for (struct connection **at = &server.connections, *c; (c = *at);) {
		if (!c->done && ngtcp2_conn_get_expiry(c->quic) <= now()) {
			if (ngtcp2_conn_handle_expiry(c->quic, now()))
				c->done = true;
			else
				speak(c);
		}
		if (c->done) {
			*at = c->next;
			connection_free(c);
			continue;
		}
		expiry = ngtcp2_conn_get_expiry(c->quic);
		next = expiry < next ? expiry : next;
		at = &c->next;
	}
	expiry = now();
	return next <= expiry ? 0 : (int)((next - expiry) / NGTCP2_MILLISECONDS) + 1;
}

/* --- start */

static int listen_at(const char *address, const char *port)
{
	struct sockaddr_in *four = (struct sockaddr_in *)&server.local;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&server.local;

	if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)atoi(port));
		server.local_n = sizeof(*four);
	} else if (inet_pton(AF_INET6, address, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)atoi(port));
		server.local_n = sizeof(*six);
	} else {
		return -1;
	}
	server.fd = socket(server.local.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return bind(server.fd, (struct sockaddr *)&server.local, server.local_n);
}

/* HEADERS with :status 200 (QPACK's static table, 25), DATA with the name. */
static void prepare_answer(const char *name)
{
	size_t n = strlen(name) < 32 ? strlen(name) : 32;

	memcpy(server.answer, "\x01\x03\x00\x00\xd9\x00", 6);
	server.answer[6] = (uint8_t)n;
	memcpy(server.answer + 7, name, n);
	server.answer_n = 7 + n;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct pollfd ready;

	if (argc < 6)
		return 2;
	for (int i = 6; i < argc; i++)
		read_spec(argv[i]);
	prepare_answer(argv[5]);
	random_octets(server.secret, sizeof(server.secret));
	if (gnutls_certificate_allocate_credentials(&server.credentials) ||
	    gnutls_certificate_set_x509_key_file(server.credentials, argv[4], argv[3],
						 GNUTLS_X509_FMT_PEM) ||
	    listen_at(argv[1], argv[2])) {
		fprintf(stderr, "quic_server: no certificate, key or address: %s\n",
			strerror(errno));
		return 1;
	}
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	ready = (struct pollfd){.fd = server.fd, .events = POLLIN};
	puts("ready");
	fflush(stdout);
	while (!stop)
		if (poll(&ready, 1, tick()) > 0)
			hear();
	return 0;
}
