/* The control socket without a guest: requests, refusals, odd clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/control.h"

struct lab {
	char dir[40], path[64];
	struct vmm_control *c;
	int fd;
};

static int call(const struct lab *l)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", l->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static int set_up(void **state)
{
	struct lab *l = calloc(1, sizeof(*l));
	struct inq_err err;

	strcpy(l->dir, "/tmp/inquest-control-XXXXXX");
	assert_non_null(mkdtemp(l->dir));
	snprintf(l->path, sizeof(l->path), "%s/s", l->dir);
	assert_int_equal(vmm_control_create(&l->c, l->path, &err), INQ_OK);
	l->fd = call(l);
	*state = l;
	return 0;
}

static int tear_down(void **state)
{
	struct lab *l = *state;

	vmm_control_destroy(l->c);
	assert_int_equal(access(l->path, F_OK), -1);
	close(l->fd);
	rmdir(l->dir);
	free(l);
	return 0;
}

static void say(struct lab *l, const char *text)
{
	assert_int_equal(write(l->fd, text, strlen(text)), strlen(text));
}

static const char *hear(struct lab *l)
{
	static char line[8192];
	size_t n = 0;

	while (n < sizeof(line) - 1 && recv(l->fd, line + n, 1, MSG_DONTWAIT) == 1)
		if (line[n++] == '\n')
			break;
	line[n] = '\0';
	return line;
}

static void refuses(struct lab *l, const char *line, const char *why)
{
	struct vmm_request q;

	say(l, line);
	say(l, "\n");
	assert_false(vmm_control_next(l->c, 2, &q));
	const char *answer = hear(l);
	if (!strstr(answer, why) || strncmp(answer, "{\"ok\":false,\"error\":\"", 20) != 0)
		fail_msg("%s: %s", line, answer);
}

static void requests_come_one_by_one_and_are_answered(void **state)
{
	struct lab *l = *state;
	struct vmm_request q;

	say(l, "{\"do\":\"snapshot\",\"file\":\"a "
	       "\\u00e9\"}\n{\"do\":\"step\",\"vcpu\":1,\"n\":64}\n");
	say(l, "{\"do\":\"nmi\"}\n{\"do\":\"qu");
	assert_true(vmm_control_next(l->c, 2, &q));
	assert_int_equal(q.verb, VMM_VERB_SNAPSHOT);
	assert_string_equal(q.file, "a \xc3\xa9");
	vmm_control_done(l->c, "\"bytes\":5");
	assert_string_equal(hear(l), "{\"ok\":true,\"bytes\":5}\n");
	assert_true(vmm_control_next(l->c, 2, &q));
	assert_int_equal(q.verb, VMM_VERB_STEP);
	assert_int_equal(q.vcpu, 1);
	assert_int_equal(q.n, 64);
	assert_true(vmm_control_next(l->c, 2, &q));
	assert_int_equal(q.verb, VMM_VERB_NMI);
	assert_false(q.vcpu_given);
	assert_false(vmm_control_next(l->c, 2, &q));
	say(l, "it\"}\n");
	assert_true(vmm_control_next(l->c, 2, &q));
	assert_int_equal(q.verb, VMM_VERB_QUIT);
	vmm_control_refuse(l->c, "not \"now\"");
	assert_string_equal(hear(l), "{\"ok\":false,\"error\":\"not \\\"now\\\"\"}\n");
}

static void what_is_no_request_is_refused(void **state)
{
	struct lab *l = *state;

	refuses(l, "", "'{' is missing");
	refuses(l, "hello", "'{' is missing");
	refuses(l, "{}", "\\\"do\\\" is missing");
	refuses(l, "{\"do\":1}", "\\\"do\\\" is missing");
	refuses(l, "{\"do\":\"fly\"}",
		"unknown verb 'fly'; snapshot, pause, resume, nmi, smi, step, inject, quit\"");
	refuses(l, "{\"do\":\"pause\",\"x\":1}", "'x' is not expected");
	refuses(l, "{\"do\":\"snapshot\"}", "\\\"file\\\" is missing");
	refuses(l, "{\"do\":\"snapshot\",\"file\":\"\"}", "not the name of a file");
	refuses(l, "{\"do\":\"snapshot\",\"file\":7}", "not the name of a file");
	refuses(l, "{\"do\":\"step\"}", "\\\"vcpu\\\" is missing");
	refuses(l, "{\"do\":\"step\",\"vcpu\":2}", "not 0 to 1");
	refuses(l, "{\"do\":\"step\",\"vcpu\":4294967296}", "not 0 to 1");
	refuses(l, "{\"do\":\"step\",\"vcpu\":0,\"n\":0}", "not 1 to 64");
	refuses(l, "{\"do\":\"step\",\"vcpu\":0,\"n\":65}", "not 1 to 64");
	refuses(l, "{\"do\":\"nmi\",\"vcpu\":true}", "not 0 to 1");
}

static void what_is_injected_is_said_in_full(void **state)
{
	struct lab *l = *state;
	struct vmm_request q;

#define INJECT "{\"do\":\"inject\",\"what\":"
	refuses(l, "{\"do\":\"inject\"}", "\\\"what\\\" is missing");
	refuses(l, INJECT "\"beam\"}", "not irq, exception, line or msi");
	refuses(l, INJECT "7}", "not irq, exception, line or msi");
	refuses(l, INJECT "\"irq\",\"vcpu\":0}", "\\\"vector\\\" is missing");
	refuses(l, INJECT "\"irq\",\"vcpu\":2,\"vector\":48}", "vcpu: not 0 to 1");
	refuses(l, INJECT "\"irq\",\"vcpu\":0,\"vector\":15}", "16 to 255");
	refuses(l, INJECT "\"irq\",\"vcpu\":0,\"vector\":256}", "not 0 to 255");
	refuses(l, INJECT "\"irq\",\"vcpu\":0,\"vector\":48,\"gsi\":1}", "'gsi' is not expected");
	refuses(l, INJECT "\"exception\",\"vcpu\":0,\"vector\":2}", "nmi is a verb");
	refuses(l, INJECT "\"exception\",\"vcpu\":0,\"vector\":32}", "0 to 31");
	refuses(l, INJECT "\"exception\",\"vcpu\":0,\"vector\":13}", "13 has an error code");
	refuses(l, INJECT "\"exception\",\"vcpu\":0,\"vector\":6,\"error\":0}", "6 has no error");
	refuses(l, INJECT "\"exception\",\"vcpu\":0,\"vector\":13,\"error\":0,\"address\":1}",
		"only exception 14");
	refuses(l, INJECT "\"line\",\"gsi\":24,\"level\":1}", "not 0 to 23");
	refuses(l, INJECT "\"line\",\"gsi\":4,\"level\":2}", "not 0 to 1");
	refuses(l, INJECT "\"msi\",\"address\":\"0x\",\"data\":1}", "address: not 0 to");
	refuses(l, INJECT "\"msi\",\"address\":\"0x10000000000000000\",\"data\":1}", "address");
	refuses(l, INJECT "\"msi\",\"address\":\"0x-1\",\"data\":1}", "address: not 0 to");
	refuses(l, INJECT "\"msi\",\"address\":true,\"data\":1}", "address: not 0 to");
	say(l, INJECT "\"exception\",\"vcpu\":1,\"vector\":14,\"error\":2,"
		      "\"address\":\"0xffffFFFF00001000\"}\n");
	assert_true(vmm_control_next(l->c, 2, &q));
	assert_int_equal(q.verb, VMM_VERB_INJECT);
	assert_int_equal(q.inject.what, VMM_INJECTED_EXCEPTION);
	assert_int_equal(q.inject.vcpu, 1);
	assert_int_equal(q.inject.vector, 14);
	assert_int_equal(q.inject.error, 2);
	assert_int_equal(q.inject.address, 0xffffffff00001000);
}

static void an_oversized_line_costs_only_itself(void **state)
{
	struct lab *l = *state;
	struct vmm_request q;
	char big[10001];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	say(l, big);
	assert_false(vmm_control_next(l->c, 2, &q));
	assert_string_equal(hear(l), ""); /* not before its end */
	say(l, "\n{\"do\":\"pause\"}\n");
	assert_true(vmm_control_next(l->c, 2, &q));
	assert_int_equal(q.verb, VMM_VERB_PAUSE);
	assert_string_equal(hear(l), "{\"ok\":false,\"error\":\"more than 4096 bytes\"}\n");
}

static void a_client_that_leaves_makes_room_for_the_next(void **state)
{
	struct lab *l = *state;
	struct vmm_request q;

	say(l, "{\"do\":\"pau");
	assert_false(vmm_control_next(l->c, 2, &q));
	close(l->fd);
	l->fd = call(l);
	say(l, "{\"do\":\"quit\"}\n");
	bool got = false;
	for (int i = 0; i < 3 && !got; i++)
		got = vmm_control_next(l->c, 2, &q);
	assert_true(got);
	assert_int_equal(q.verb, VMM_VERB_QUIT);
	close(l->fd);
	vmm_control_done(l->c, ""); /* nobody hears it */
	l->fd = call(l);
}

/* Silent ones lock nobody out, and each hears what it asked for. */
static void several_are_heard(void **state)
{
	struct lab *l = *state, other[VMM_CONTROL_CLIENTS];
	struct vmm_request q;

	assert_false(vmm_control_next(l->c, 2, &q)); /* l itself is let in, and is silent */
	for (unsigned i = 0; i < VMM_CONTROL_CLIENTS; i++)
		other[i] = (struct lab){.c = l->c, .fd = call(l)};
	say(&other[3], "{\"do\":\"step\",\"vcpu\":1}\n{\"do\":\"quit\"}\n");
	say(&other[6], "{\"do\":\"pause\"}\nnonsense\n");
	assert_true(vmm_control_next(l->c, 2, &q));
	assert_int_equal(q.verb, VMM_VERB_STEP);
	vmm_control_done(l->c, "\"a\":1");
	assert_true(vmm_control_next(l->c, 2, &q));
	assert_int_equal(q.verb, VMM_VERB_PAUSE); /* its turn, though the other has more to say */
	vmm_control_done(l->c, "\"b\":2");
	assert_true(vmm_control_next(l->c, 2, &q));
	assert_int_equal(q.verb, VMM_VERB_QUIT);
	vmm_control_refuse(l->c, "c");
	assert_false(vmm_control_next(l->c, 2, &q));
	assert_string_equal(hear(&other[3]), "{\"ok\":true,\"a\":1}\n");
	assert_string_equal(hear(&other[3]), "{\"ok\":false,\"error\":\"c\"}\n");
	assert_string_equal(hear(&other[6]), "{\"ok\":true,\"b\":2}\n");
	assert_non_null(strstr(hear(&other[6]), "'{' is missing"));
	assert_string_equal(hear(&other[VMM_CONTROL_CLIENTS - 1]),
			    "{\"ok\":false,\"error\":\"no room for another client\"}\n");
	for (unsigned i = 0; i < VMM_CONTROL_CLIENTS; i++)
		close(other[i].fd);
}

/* Its answers wait until it reads; they come whole and in order, and others do not wait. */
static void who_does_not_read_waits_alone(void **state)
{
	struct lab *l = *state, other = {.c = l->c, .fd = call(l)};
	const unsigned wanted = 200;
	static char more[8000], want[8100], got[8100];
	struct vmm_request q;
	unsigned asked = 0, heard = 0;

	memset(more, 'm', sizeof(more) - 1);
	memcpy(more, "\"x\":\"", 5);
	more[sizeof(more) - 2] = '"';
	size_t n = (size_t)snprintf(want, sizeof(want), "{\"ok\":true,%s}\n", more);
	for (unsigned i = 0; i < wanted; i++)
		say(l, "{\"do\":\"pause\"}\n");
	while (vmm_control_next(l->c, 1, &q) && ++asked)
		vmm_control_done(l->c, more);
	assert_true(asked > 1 && asked < wanted);
	say(&other, "{\"do\":\"quit\"}\n");
	assert_true(vmm_control_next(l->c, 1, &q));
	assert_int_equal(q.verb, VMM_VERB_QUIT);
	vmm_control_done(l->c, "");
	assert_string_equal(hear(&other), "{\"ok\":true}\n");
	for (; heard < wanted; heard++) {
		if (heard >= asked - 1 && vmm_control_next(l->c, 1, &q) && ++asked)
			vmm_control_done(l->c, more);
		assert_int_equal(recv(l->fd, got, n, MSG_WAITALL), n);
		assert_memory_equal(got, want, n);
	}
	close(other.fd);
}

static void the_socket_is_private_and_taken_over_only_when_stale(void **state)
{
	struct lab *l = *state;
	struct vmm_control *second = NULL;
	struct inq_err err;
	struct stat sb;

	assert_int_equal(stat(l->path, &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0600);
	assert_int_equal(vmm_control_create(&second, l->path, &err), INQ_EUSAGE);

	char other[64];
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	snprintf(other, sizeof(other), "%s/o", l->dir);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", other);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd); /* the file stays */
	assert_int_equal(vmm_control_create(&second, other, &err), INQ_OK);
	vmm_control_destroy(second);

	FILE *f = fopen(other, "w"); /* somebody's file is not a stale socket */
	fclose(f);
	assert_int_equal(vmm_control_create(&second, other, &err), INQ_EUSAGE);
	assert_int_equal(access(other, F_OK), 0);
	unlink(other);
	assert_int_equal(vmm_control_create(&second, "", &err), INQ_EUSAGE);
}

/* Somebody listens there, but is too busy to take anybody on: neither stale nor waited for. */
static void a_busy_socket_is_not_waited_for(void **state)
{
	struct lab *l = *state;
	struct vmm_control *second = NULL;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct inq_err err;
	int fd[64], nr = 0;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", l->path);
	for (; nr < 64; nr++) {
		fd[nr] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(fd[nr], (struct sockaddr *)&a, sizeof(a)))
			break;
	}
	assert_true(nr < 64); /* the queue is full */
	alarm(10);
	assert_int_equal(vmm_control_create(&second, l->path, &err), INQ_EUSAGE);
	alarm(0);
	assert_int_equal(access(l->path, F_OK), 0);
	for (int i = 0; i <= nr; i++)
		close(fd[i]);
}

static unsigned answers(struct lab *l)
{
	char some[4096];
	unsigned n = 0;

	for (ssize_t got; (got = recv(l->fd, some, sizeof(some), MSG_DONTWAIT)) > 0;)
		for (ssize_t i = 0; i < got; i++)
			n += some[i] == '\n';
	return n;
}

/* Who talks without an end is answered, a part at a time: whoever asks for requests comes back. */
static void a_flood_comes_in_parts(void **state)
{
	struct lab *l = *state;
	struct vmm_request q;
	char line[4000];
	unsigned said = 0, heard, rounds = 0;

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	while (send(l->fd, line, sizeof(line), MSG_DONTWAIT) == sizeof(line))
		said++;
	assert_true(said > 20);
	assert_false(vmm_control_next(l->c, 1, &q));
	heard = answers(l);
	assert_true(heard > 0 && heard < said);
	for (; heard < said && rounds < 100; rounds++) {
		assert_false(vmm_control_next(l->c, 1, &q));
		heard += answers(l);
	}
	assert_int_equal(heard, said);
}

/* One nested deeper than anybody means, and a client that does not read: neither stops us. */
static void deep_and_deaf(void **state)
{
	struct lab *l = *state;
	struct vmm_request q;
	char line[4001];

	memset(line, '[', sizeof(line) - 2);
	line[sizeof(line) - 2] = '\n';
	line[sizeof(line) - 1] = 0;
	say(l, line);
	assert_false(vmm_control_next(l->c, 1, &q));
	assert_non_null(strstr(hear(l), "\"ok\":false"));
	for (unsigned i = 0; i < 20000; i++) {
		if (send(l->fd, "?\n", 2, MSG_DONTWAIT | MSG_NOSIGNAL) != 2)
			break;
		if (i % 64 == 0)
			assert_false(vmm_control_next(l->c, 1, &q));
	}
	close(l->fd);
	for (unsigned i = 0; i < 100; i++)
		assert_false(vmm_control_next(l->c, 1, &q));
	l->fd = call(l);
	say(l, "{\"do\":\"pause\"}\n");
	bool taken = false;
	for (unsigned i = 0; i < 100 && !taken; i++)
		taken = vmm_control_next(l->c, 1, &q);
	assert_true(taken);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(requests_come_one_by_one_and_are_answered),
		TEST(what_is_no_request_is_refused),
		TEST(what_is_injected_is_said_in_full),
		TEST(an_oversized_line_costs_only_itself),
		TEST(a_client_that_leaves_makes_room_for_the_next),
		TEST(several_are_heard),
		TEST(who_does_not_read_waits_alone),
		TEST(the_socket_is_private_and_taken_over_only_when_stale),
		TEST(a_busy_socket_is_not_waited_for),
		TEST(a_flood_comes_in_parts),
		TEST(deep_and_deaf),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
