/*
 * test_client_progress.c - the words and the bar of a transfer, on a terminal and elsewhere.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "import_progress.h"

#define MEGABYTE ((uint64_t) 1024 * 1024)

static void
sizes_have_units(void **state)
{
	static const struct
	{
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0 bytes"},
		{1023, "1023 bytes"},
		{1024, "1.0 kB"},
		{1536, "1.5 kB"},
		{MEGABYTE, "1.0 MB"},
		{404 * MEGABYTE, "404.0 MB"},
		{1024 * MEGABYTE, "1.00 GB"},
		{5000 * MEGABYTE, "4.88 GB"},
	};
	char text[32];

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		import_progress_size(cases[i].bytes, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
	}
}

static void
lines_have_numbers(void **state)
{
	static const struct
	{
		ImportState state;
		const char *text;
	} cases[] = {
		{{"m", 50 * MEGABYTE, 200 * MEGABYTE, 10.0 * MEGABYTE},
		 "m: 25%, 50.0 of 200.0 MB, 10.0 MB/s, 0:15 left"},
		{{"m", 0, 200 * MEGABYTE, 0}, "m: 0%, 0.0 of 200.0 MB, ? left"},
		{{"m", 199 * MEGABYTE, 200 * MEGABYTE, 1.0},
		 "m: 99%, 199.0 of 200.0 MB, 1 bytes/s, ? left"},
		{{"m", 1, 7300 * 1024, 1024.0}, "m: 0%, 0.0 of 7.1 MB, 1.0 kB/s, 2:01:40 left"},
		{{"m", 300, 300, 30.0}, "m: 100%, 300 of 300 bytes, 30 bytes/s"},
		{{"m", 0, 0, 0}, "m: 100%, 0 of 0 bytes"},
	};
	char line[256];

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		import_progress_text(&cases[i].state, line, sizeof(line));
		assert_string_equal(line, cases[i].text);
	}
}

static void
bars_fit_the_width(void **state)
{
	ImportState at = {"topics", 50 * MEGABYTE, 200 * MEGABYTE, 10.0 * MEGABYTE};
	char line[512];

	(void) state;
	import_progress_bar(&at, 80, line, sizeof(line));
	assert_string_equal(
		line, "topics [======>                   ]  25%  50.0 of 200.0 MB  10.0 MB/s  0:15 left");
	import_progress_bar(&at, 200, line, sizeof(line));
	assert_string_equal(line,
						"topics [==========>                             ]  25%  50.0 of 200.0 MB  "
						"10.0 MB/s  0:15 left");
	import_progress_bar(&at, 60, line, sizeof(line));
	assert_string_equal(line, " 25%  50.0 of 200.0 MB  10.0 MB/s  0:15 left");
	import_progress_bar(&at, 20, line, sizeof(line));
	assert_string_equal(line, " 25%");
	at.done = at.total;
	import_progress_bar(&at, 80, line, sizeof(line));
	assert_string_equal(
		line, "topics [====================================] 100%  200.0 of 200.0 MB  10.0 MB/s");
	for (int width = 1; width < 120; width++)
	{
		import_progress_bar(&at, width, line, sizeof(line));
		assert_true((int) strlen(line) <= (width < 4 ? 4 : width));
	}
}

static void
long_names_are_cut_between_characters(void **state)
{
	ImportState at = {"模型模型模型模型模型模型模型模型模型模型模型模型模型", 1, 2, 0};
	char line[512];

	(void) state;
	import_progress_bar(&at, 100, line, sizeof(line));
	assert_memory_equal(line, "模型模型模型模型模型模型模型模型模型模型模... [",
						strlen("模型模型模型模型模型模型模型模型模型模型模... ["));
	at.label = "abcdefghijklmnopqrstuvwx";
	import_progress_bar(&at, 100, line, sizeof(line));
	assert_memory_equal(line, "abcdefghijklmnopqrstuvwx [", 26);
	at.label = "abcdefghijklmnopqrstuvwxy";
	import_progress_bar(&at, 100, line, sizeof(line));
	assert_memory_equal(line, "abcdefghijklmnopqrstu... [", 26);
}

static void
elsewhere_the_last_line_always_comes(void **state)
{
	ImportProgress progress;
	char *text;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	(void) state;
	assert_non_null(stream);
	import_progress_begin(&progress, stream, "m", 100);
	for (int i = 0; i < 100; i++)
		import_progress_add(&progress, 1);
	import_progress_clear(&progress);
	import_progress_end(&progress);
	assert_int_equal(fclose(stream), 0);
	assert_non_null(strstr(text, "m: 100%, 100 of 100 bytes"));
	assert_int_equal(text[size - 1], '\n');
	assert_null(strchr(text, '\r'));
	assert_null(strchr(text, '\033'));
	free(text);
}

static void
silence_is_silent(void **state)
{
	ImportProgress progress;

	(void) state;
	import_progress_begin(&progress, NULL, "m", 10);
	import_progress_add(&progress, 10);
	import_progress_clear(&progress);
	import_progress_end(&progress);
	assert_int_equal(progress.done, 10);
	assert_false(progress.on_screen);
}

/* A pseudo-terminal of that width; what is written to it can be read from the result. */
static int
open_terminal(unsigned short width, FILE **stream)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	struct winsize size = {.ws_col = width, .ws_row = 24};

	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	*stream = fopen(ptsname(master), "w");
	assert_non_null(*stream);
	assert_int_equal(ioctl(fileno(*stream), TIOCSWINSZ, &size), 0);
	return master;
}

/* All that was written until the other side was closed: the kernel may deliver it in pieces. */
static void
read_terminal(int master, char *text, size_t size)
{
	size_t used = 0;
	ssize_t length;

	while (used + 1 < size && (length = read(master, text + used, size - 1 - used)) > 0)
		used += (size_t) length;
	text[used] = '\0';
}

/* As if the first byte had come an hour ago: what is drawn does not depend on how fast the test runs. */
static void
age(ImportProgress *progress)
{
	progress->started -= 3600;
	progress->drawn -= 3600;
	progress->moments[0].time -= 3600;
}

static void
a_terminal_gets_a_bar_that_goes_away(void **state)
{
	ImportProgress progress;
	FILE *stream;
	int master = open_terminal(80, &stream);
	char text[1024];

	(void) state;
	import_progress_begin(&progress, stream, "m", 100);
	age(&progress);
	import_progress_add(&progress, 40);
	assert_true(progress.on_screen);
	import_progress_clear(&progress);
	assert_false(progress.on_screen);
	import_progress_add(&progress, 60);
	import_progress_end(&progress);
	fclose(stream);
	read_terminal(master, text, sizeof(text));
	close(master);
	assert_memory_equal(text, "\r\033[Km [", 7);
	assert_non_null(strstr(text, " 40%  40 of 100 bytes"));
	assert_non_null(strstr(text, "left\r\033[K\r\033[Km ["));
	assert_non_null(strstr(text, "] 100%  100 of 100 bytes"));
	assert_int_equal(text[strlen(text) - 1], '\n');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_have_units),
		cmocka_unit_test(lines_have_numbers),
		cmocka_unit_test(bars_fit_the_width),
		cmocka_unit_test(long_names_are_cut_between_characters),
		cmocka_unit_test(elsewhere_the_last_line_always_comes),
		cmocka_unit_test(silence_is_silent),
		cmocka_unit_test(a_terminal_gets_a_bar_that_goes_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
