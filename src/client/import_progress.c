/*
 * import_progress.c - how far a long transfer has come: a bar on a terminal, lines elsewhere.
 *
 * Sizes count 1024 as PostgreSQL's do. A line in a log is worth having once a second at most and
 * once in a tenth of the whole; the last one comes always.
 */
#include "import_progress.h"

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define SECONDS_BETWEEN_BARS 0.1
#define SECONDS_BETWEEN_LINES 1.0
#define SECONDS_BETWEEN_MOMENTS 0.5
#define NARROWEST_BAR 10
#define WIDEST_BAR 40
#define LABEL_COLUMNS 24
#define DEFAULT_WIDTH 80

/* ---- words ----------------------------------------------------------------------------------- */

typedef struct Unit
{
	const char *name;
	double bytes;
	int decimals;
} Unit;

static const Unit *
choose_unit(uint64_t bytes)
{
	static const Unit units[] = {
		{"bytes", 1, 0},
		{"kB", 1024.0, 1},
		{"MB", 1024.0 * 1024, 1},
		{"GB", 1024.0 * 1024 * 1024, 2},
	};
	int unit = 0;

	while (unit < 3 && (double) bytes >= units[unit + 1].bytes)
		unit++;
	return &units[unit];
}

void
import_progress_size(uint64_t bytes, char *text, size_t size)
{
	const Unit *unit = choose_unit(bytes);

	snprintf(text, size, "%.*f %s", unit->decimals, (double) bytes / unit->bytes, unit->name);
}

static int
percentage(const ImportState *state)
{
	return state->total == 0 ? 100 : (int) (100.0 * (double) state->done / (double) state->total);
}

/* "1:02:03", "2:03"; "?" when nobody knows */
static void
write_time_left(const ImportState *state, char *text, size_t size)
{
	double seconds = state->rate > 0 ? (double) (state->total - state->done) / state->rate : -1;
	unsigned whole;

	if (seconds < 0 || seconds > 1e6)
	{
		snprintf(text, size, "?");
		return;
	}
	whole = (unsigned) (seconds + 0.5);
	if (whole >= 3600)
		snprintf(text, size, "%u:%02u:%02u", whole / 3600, whole / 60 % 60, whole % 60);
	else
		snprintf(text, size, "%u:%02u", whole / 60, whole % 60);
}

/* The parts that bar and line have in common, one behind the other. */
static void
write_numbers(const ImportState *state, const char *between, char *text, size_t size)
{
	const Unit *unit = choose_unit(state->total);
	char rate[32] = "";
	char left[32] = "";
	size_t used;

	used = (size_t) snprintf(text, size, "%.*f of %.*f %s", unit->decimals,
							 (double) state->done / unit->bytes, unit->decimals,
							 (double) state->total / unit->bytes, unit->name);
	if (state->rate > 0)
	{
		import_progress_size((uint64_t) state->rate, rate, sizeof(rate));
		used += (size_t) snprintf(text + used, size - used, "%s%s/s", between, rate);
	}
	if (state->done < state->total)
	{
		write_time_left(state, left, sizeof(left));
		snprintf(text + used, size - used, "%s%s left", between, left);
	}
}

void
import_progress_text(const ImportState *state, char *line, size_t size)
{
	char numbers[128];

	write_numbers(state, ", ", numbers, sizeof(numbers));
	snprintf(line, size, "%s: %d%%, %s", state->label, percentage(state), numbers);
}

/* Columns of UTF-8, counting every character as one. */
static int
count_columns(const char *text)
{
	int columns = 0;

	for (; *text != '\0'; text++)
		columns += ((unsigned char) *text & 0xC0) != 0x80;
	return columns;
}

/* The label, or its beginning and "...". */
static void
write_label(const char *label, char *text, size_t size)
{
	size_t length = 0;

	if (count_columns(label) <= LABEL_COLUMNS)
	{
		snprintf(text, size, "%s", label);
		return;
	}
	for (int columns = 0; columns <= LABEL_COLUMNS - 3; length++)
		columns += ((unsigned char) label[length] & 0xC0) != 0x80;
	snprintf(text, size, "%.*s...", (int) length - 1, label);
}

static void
draw(int filled, int width, char *text)
{
	memset(text, ' ', (size_t) width);
	memset(text, '=', (size_t) filled);
	if (filled < width)
		text[filled] = '>';
	text[width] = '\0';
}

/* Where there is no room for a bar there may be room for the numbers. */
void
import_progress_bar(const ImportState *state, int width, char *line, size_t size)
{
	char label[4 * LABEL_COLUMNS + 4];
	char numbers[128];
	char bar[WIDEST_BAR + 1];
	int room;

	write_label(state->label, label, sizeof(label));
	write_numbers(state, "  ", numbers, sizeof(numbers));
	/* "label [bar] 100%  numbers" */
	room = width - count_columns(label) - count_columns(numbers) - 10;
	if (room > WIDEST_BAR)
		room = WIDEST_BAR;
	if (room < NARROWEST_BAR)
	{
		snprintf(line, size, "%3d%%  %s", percentage(state), numbers);
		if (count_columns(line) > width)
			snprintf(line, size, "%3d%%", percentage(state));
		return;
	}
	draw(percentage(state) * room / 100, room, bar);
	snprintf(line, size, "%s [%s] %3d%%  %s", label, bar, percentage(state), numbers);
}

/* ---- time ------------------------------------------------------------------------------------ */

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double) time.tv_sec + (double) time.tv_nsec * 1e-9;
}

static void
remember(ImportProgress *progress, double time)
{
	ImportMoment *moment = &progress->moments[progress->moment_count % IMPORT_PROGRESS_MOMENTS];

	*moment = (ImportMoment){time, progress->done};
	progress->moment_count++;
}

static const ImportMoment *
oldest_moment(const ImportProgress *progress)
{
	size_t oldest = progress->moment_count > IMPORT_PROGRESS_MOMENTS ? progress->moment_count : 0;

	return &progress->moments[oldest % IMPORT_PROGRESS_MOMENTS];
}

static const ImportMoment *
newest_moment(const ImportProgress *progress)
{
	return &progress->moments[(progress->moment_count - 1) % IMPORT_PROGRESS_MOMENTS];
}

/* Since the oldest moment; over all of it once it is done. */
static double
measure_rate(const ImportProgress *progress, double time)
{
	ImportMoment since = *oldest_moment(progress);

	if (progress->done == progress->total)
		since = (ImportMoment){progress->started, 0};
	if (time - since.time < 1e-3)
		return 0;
	return (double) (progress->done - since.done) / (time - since.time);
}

/* ---- output ---------------------------------------------------------------------------------- */

static int
terminal_width(const ImportProgress *progress)
{
	struct winsize size;

	if (ioctl(fileno(progress->stream), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return DEFAULT_WIDTH;
	return size.ws_col;
}

static void
show(ImportProgress *progress, double time)
{
	ImportState state = {progress->label, progress->done, progress->total,
						 measure_rate(progress, time)};
	char line[512];

	progress->drawn = time;
	if (progress->terminal)
	{
		/* the last column stays free: some terminals break the line there */
		import_progress_bar(&state, terminal_width(progress) - 1, line, sizeof(line));
		fprintf(progress->stream, "\r\033[K%s", line);
		progress->on_screen = true;
	}
	else
	{
		import_progress_text(&state, line, sizeof(line));
		fprintf(progress->stream, "%s\n", line);
	}
	fflush(progress->stream);
}

void
import_progress_begin(ImportProgress *progress, FILE *stream, const char *label, uint64_t total)
{
	memset(progress, 0, sizeof(*progress));
	progress->stream = stream;
	progress->terminal = stream != NULL && isatty(fileno(stream));
	progress->label = label;
	progress->total = total;
	progress->started = now();
	progress->drawn = progress->started;
	remember(progress, progress->started);
}

static bool
is_new_tenth(const ImportProgress *progress, uint64_t before)
{
	double tenth = (double) progress->total / 10;

	return (uint64_t) ((double) progress->done / tenth) > (uint64_t) ((double) before / tenth);
}

void
import_progress_add(ImportProgress *progress, uint64_t bytes)
{
	uint64_t before = progress->done;
	double time = now();

	progress->done += bytes;
	if (progress->stream == NULL || progress->done >= progress->total)
		return;
	if (time - newest_moment(progress)->time >= SECONDS_BETWEEN_MOMENTS)
		remember(progress, time);
	if (progress->terminal
			? time - progress->drawn >= SECONDS_BETWEEN_BARS
			: time - progress->drawn >= SECONDS_BETWEEN_LINES && is_new_tenth(progress, before))
		show(progress, time);
}

void
import_progress_clear(ImportProgress *progress)
{
	if (!progress->on_screen)
		return;
	fprintf(progress->stream, "\r\033[K");
	fflush(progress->stream);
	progress->on_screen = false;
}

void
import_progress_end(ImportProgress *progress)
{
	if (progress->stream == NULL)
		return;
	show(progress, now());
	if (progress->terminal)
		fprintf(progress->stream, "\n");
	progress->on_screen = false;
}
