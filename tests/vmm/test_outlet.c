/* Output that nobody reads, that is read late, and that cannot be written. */
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/outlet.h"

enum { SENT = VMM_OUTLET_BYTES / 2, PATIENCE_MS = 60000 };

static int pipe_of[2];
static struct vmm_outlet *o;

static int set_up(void **state)
{
	struct inq_err err;

	(void)state;
	assert_int_equal(pipe2(pipe_of, O_CLOEXEC), 0);
	assert_int_equal(vmm_outlet_create(&o, pipe_of[1], &err), INQ_OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(pipe_of[0]);
	close(pipe_of[1]);
	return 0;
}

static char byte_of(size_t i)
{
	return (char)(i % 251);
}

static void send_bytes(size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		assert_int_equal(fputc(byte_of(i), vmm_outlet_file(o)), (unsigned char)byte_of(i));
}

/* As many as there are, or until there are enough. */
static size_t read_bytes(size_t from, size_t to)
{
	char some[4096];
	ssize_t n;

	while (from < to && (n = read(pipe_of[0], some, sizeof(some))) > 0)
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(some[i], byte_of(from++));
	return from;
}

struct told {
	sem_t called;
	unsigned times;
};

/* As while a VM is stopped, and then not. */
static bool on_room(void *arg)
{
	struct told *t = arg;

	sem_post(&t->called);
	return ++t->times > 1;
}

static void late_reader_gets_all(void **state)
{
	struct told t = {0};
	uint64_t lost;

	(void)state;
	sem_init(&t.called, 0, 0);
	vmm_outlet_on_room(o, on_room, &t);
	assert_false(vmm_outlet_full(o));
	send_bytes(0, SENT);
	assert_true(vmm_outlet_full(o));
	assert_int_equal(sem_trywait(&t.called), -1);
	assert_int_equal(read_bytes(0, SENT), SENT);
	sem_wait(&t.called);
	sem_wait(&t.called);
	assert_false(vmm_outlet_full(o));
	vmm_outlet_on_room(o, NULL, NULL);
	send_bytes(SENT, SENT + 9);
	assert_int_equal(vmm_outlet_close(o, PATIENCE_MS, &lost), 0);
	assert_int_equal(lost, 0);
	assert_int_equal(t.times, 2);
	assert_int_equal(read_bytes(SENT, SENT + 9), SENT + 9);
	sem_destroy(&t.called);
}

/* The sender goes on, the end comes, and each byte is counted. */
static void nobody_reads(void **state)
{
	const size_t sent = 2 * (size_t)VMM_OUTLET_BYTES;
	uint64_t lost;

	(void)state;
	send_bytes(0, sent);
	assert_int_equal(vmm_outlet_close(o, 1, &lost), 0);
	assert_in_range(lost, VMM_OUTLET_BYTES / 2, sent);
	close(pipe_of[1]);
	pipe_of[1] = -1;
	assert_int_equal(read_bytes(0, sent) + lost, sent);
}

static void cannot_be_written(void **state)
{
	struct inq_err err;
	uint64_t lost;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(vmm_outlet_create(&o, fd, &err), INQ_OK);
	fputs("word", vmm_outlet_file(o));
	assert_int_equal(vmm_outlet_close(o, PATIENCE_MS, &lost), ENOSPC);
	assert_int_equal(lost, 4);
	assert_int_equal(vmm_outlet_close(NULL, PATIENCE_MS, &lost), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(late_reader_gets_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_reads, set_up, tear_down),
		cmocka_unit_test(cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
