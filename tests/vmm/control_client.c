/*
 * usage: control_client SOCKET LINE...
 * Says each line on a control socket that may be yet to come, and prints each answer.  A line
 * "@N" is N bytes of x; "~N" is a pause of N ms.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TRIES = 300, TRY_US = 100000 };

static FILE *call(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	for (int i = 0; i < TRIES; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		if (fd >= 0 && !connect(fd, (struct sockaddr *)&a, sizeof(a)))
			return fdopen(fd, "r+");
		close(fd);
		usleep(TRY_US);
	}
	return NULL;
}

static void say(FILE *f, const char *line)
{
	long n = *line == '@' ? strtol(line + 1, NULL, 10) : 0;

	while (n-- > 0)
		fputc('x', f);
	fprintf(f, "%s\n", *line == '@' ? "" : line);
	fflush(f);
}

int main(int argc, char **argv)
{
	static char answer[1 << 16];
	FILE *f = argc > 1 ? call(argv[1]) : NULL;

	if (!f)
		return 2;
	for (int i = 2; i < argc; i++) {
		if (*argv[i] == '~') {
			usleep((useconds_t)strtol(argv[i] + 1, NULL, 10) * 1000);
			continue;
		}
		say(f, argv[i]);
		if (!fgets(answer, sizeof(answer), f))
			return 1;
		fputs(answer, stdout);
	}
	return 0;
}
