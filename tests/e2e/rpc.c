// SPDX-License-Identifier: GPL-2.0-or-later
/* rpc SOCKET CMD [JSON] - one request to a dataplane or to the daemon; prints what it answers. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	json_t *request = argc > 3 ? json_loads(argv[3], 0, NULL) : json_object();
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char buf[65536], *text;
	ssize_t n;

	if (argc < 3 || !request || fd < 0 || strlen(argv[1]) >= sizeof(addr.sun_path)) {
		fprintf(stderr, "usage: rpc SOCKET CMD [JSON]\n");
		return 2;
	}
	strcpy(addr.sun_path, argv[1]);
	json_object_set_new(request, "v", json_integer(1));
	json_object_set_new(request, "cmd", json_string(argv[2]));
	text = json_dumps(request, JSON_COMPACT);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) || dprintf(fd, "%s\n", text) < 0) {
		perror("rpc");
		return 1;
	}
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		fwrite(buf, 1, (size_t)n, stdout);
		if (memchr(buf, '\n', (size_t)n))
			break;
	}
	close(fd);
	free(text);
	json_decref(request);
	return n <= 0;
}
