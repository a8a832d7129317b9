/*
 * walk.c - a child process that looks at a file, and the parent that believes nothing it says.
 *
 * The child has the file and one end of a pipe; every other descriptor is closed, it can open none
 * once the walker has begun to read, it may use RF_WALK_SECONDS of processor time and MAX_MEMORY
 * beyond the file's size. It writes records: a kind, then the struct of that kind.
 *
 * Enforced by the parent: at most RF_MAX_TENSORS tensors and RF_WALK_MAX_PIECES pieces; paths and
 * messages are valid UTF-8; types, ranks and sizes as everywhere; each piece inside the file; as
 * many bytes as type and shape call for.
 */
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rf/utf8.h"

#define MAX_MEMORY (UINT64_C(4) * 1024 * 1024 * 1024)

/* Under AddressSanitizer, whose shadow alone takes more, memory is not limited. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_SHADOW
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define HAS_SHADOW
#endif

/* The child's descriptors. */
#define CHILD_FILE 3
#define CHILD_REPORT 4

typedef enum Kind
{
	KIND_TENSOR = 1,
	KIND_PIECE,
	KIND_FAILURE,
	KIND_END
} Kind;

typedef struct Piece
{
	uint64_t offset;
	uint64_t size;
} Piece;

/* ---- the child ------------------------------------------------------------------------------- */

static RfCode
write_all(int fd, const void *data, size_t size, RfError *err)
{
	const char *from = data;

	while (size > 0)
	{
		ssize_t wrote = write(fd, from, size);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
		{
			int why = errno;

			return rf_error_os(err, why, "could not report: %s", strerror(why));
		}
		from += wrote;
		size -= (size_t) wrote;
	}
	return RF_OK;
}

static RfCode
write_record(int fd, Kind kind, const void *data, size_t size, RfError *err)
{
	uint32_t number = kind;

	RF_TRY(write_all(fd, &number, sizeof(number), err));
	return write_all(fd, data, size, err);
}

RfCode
rf_walk_report_tensor(RfWalk *walk, const RfWalkTensor *tensor, RfError *err)
{
	return write_record(walk->report, KIND_TENSOR, tensor, sizeof(*tensor), err);
}

RfCode
rf_walk_report_piece(RfWalk *walk, uint64_t offset, uint64_t size, RfError *err)
{
	Piece piece = {offset, size};

	return write_record(walk->report, KIND_PIECE, &piece, sizeof(piece), err);
}

void
rf_walk_report(RfWalk *walk, RfWalker walker)
{
	RfError err = {0};

	if (walker(walk, &err) == RF_OK)
		write_record(walk->report, KIND_END, NULL, 0, &err);
	else
		write_record(walk->report, KIND_FAILURE, &err, sizeof(err), &err);
}

bool
rf_walk_append(char *path, const char *part, size_t length)
{
	size_t used = strlen(path);
	size_t slash = used > 0;

	if (length >= RF_WALK_MAX_PATH - used - slash)
		return false;
	if (slash)
		path[used++] = '/';
	memcpy(path + used, part, length);
	path[used + length] = '\0';
	return true;
}

static void
limit(int resource, uint64_t value)
{
	struct rlimit wanted = {value, value};

	setrlimit(resource, &wanted);
}

static void
close_others(void)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, CHILD_REPORT + 1, ~0U, 0) == 0)
		return;
#endif
	for (long fd = CHILD_REPORT + 1, end = sysconf(_SC_OPEN_MAX); fd < end; fd++)
		close((int) fd);
}

/* Signals do what they do in a program that has asked for nothing, and messages go nowhere. */
static void
forget_the_parent(void)
{
	static const int signals[] = {SIGINT,  SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGALRM,
								  SIGSEGV, SIGBUS,  SIGFPE, SIGILL,  SIGABRT, SIGCHLD};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
	if (freopen("/dev/null", "r+", stderr) != NULL)
		dup2(fileno(stderr), STDOUT_FILENO);
}

static void
confine(uint64_t file_size)
{
	limit(RLIMIT_CPU, RF_WALK_SECONDS);
	limit(RLIMIT_CORE, 0);
#ifndef HAS_SHADOW
	limit(RLIMIT_AS, MAX_MEMORY + file_size);
#else
	(void) file_size;
#endif
}

static void run_child(const RfOpenFile *file, int report, RfWalker walker)
	__attribute__((noreturn));

static void
run_child(const RfOpenFile *file, int report, RfWalker walker)
{
	RfWalk walk = {file->name, CHILD_FILE, file->size, CHILD_REPORT};
	/* Above the numbers they are to have, so that neither overwrites the other. */
	int file_copy = dup(file->fd);
	int report_copy = dup(report);

	while (file_copy >= 0 && file_copy <= CHILD_REPORT)
		file_copy = dup(file_copy);
	while (report_copy >= 0 && report_copy <= CHILD_REPORT)
		report_copy = dup(report_copy);
	if (dup2(file_copy, CHILD_FILE) < 0 || dup2(report_copy, CHILD_REPORT) < 0)
		_exit(1);
	close_others();
	forget_the_parent();
	confine(file->size);
	rf_walk_report(&walk, walker);
	_exit(0);
}

/* ---- the parent ------------------------------------------------------------------------------ */

typedef struct Listing
{
	RfCheckpoint *checkpoint;
	const RfOpenFile *file;
	size_t file_index;
	RfWalkMapName map_name;
	RfArena *scratch;
	RfWeightEntry *entries; /* [capacity] in scratch */
	size_t count;
	size_t capacity;
	Piece *pieces; /* [piece_capacity] in scratch, of the tensor at work */
	size_t piece_count;
	size_t piece_capacity;
	size_t total_pieces;
	bool is_open; /* a tensor waits for its pieces */
	RfVariableUse use;
} Listing;

static RfCode
fail(const Listing *listing, RfCode code, const char *what, RfError *err)
{
	rf_error_set(err, code, "file \"%s\" %s", listing->file->name, what);
	rf_error_origin(err, listing->file->name, RF_NO_OFFSET);
	return code;
}

static RfCode
fail_tensor(const Listing *listing, RfCode code, const char *name, const char *what, RfError *err)
{
	rf_error_set(err, code, "tensor \"%s\" in file \"%s\" %s", name, listing->file->name, what);
	rf_error_origin(err, listing->file->name, RF_NO_OFFSET);
	return code;
}

/* Makes room in the scratch arena for one item more. */
static RfCode
reserve(RfArena *scratch, void **items, size_t count, size_t *capacity, size_t size, RfError *err)
{
	size_t larger = *capacity == 0 ? 64 : 2 * *capacity;
	char *copy;

	if (count < *capacity)
		return RF_OK;
	RF_NEW(scratch, copy, larger * size, err);
	if (count > 0)
		memcpy(copy, *items, count * size);
	*items = copy;
	*capacity = larger;
	return RF_OK;
}

static RfCode
check_tensor(const Listing *listing, const RfWalkTensor *tensor, RfError *err)
{
	size_t length = strnlen(tensor->path, sizeof(tensor->path));

	if (length == sizeof(tensor->path) || rf_utf8_valid_prefix(tensor->path, length) != length)
		return fail(listing, RF_CORRUPT, "has a tensor whose name is not UTF-8", err);
	if ((int) tensor->dtype < 0 || tensor->dtype > RF_BOOL || tensor->rank < 0 ||
		tensor->rank > RF_MAX_RANK)
		return fail(listing, RF_CORRUPT, "has a tensor of an unknown kind", err);
	return RF_OK;
}

static RfCode
begin_tensor(Listing *listing, const RfWalkTensor *tensor, RfError *err)
{
	char name[RF_MAX_TENSOR_NAME + 2];
	RfWeightEntry *entry;
	RfCode code;

	RF_TRY(check_tensor(listing, tensor, err));
	if (!listing->map_name(tensor->path, name, sizeof(name), &listing->use))
		return fail(listing, RF_LIMIT, "has a tensor whose name is too long", err);
	listing->is_open = true;
	listing->piece_count = 0;
	if (listing->use == RF_VARIABLE_LEFT_OUT)
		return RF_OK;
	code = rf_weights_check_name(listing->file->name, name, err);
	if (code != RF_OK)
	{
		rf_error_origin(err, listing->file->name, RF_NO_OFFSET);
		return code;
	}
	if (listing->count == RF_MAX_TENSORS)
		return fail(listing, RF_LIMIT, "has more than 262144 tensors", err);
	RF_TRY(reserve(listing->scratch, (void **) &listing->entries, listing->count,
				   &listing->capacity, sizeof(*entry), err));
	entry = &listing->entries[listing->count];
	memset(entry, 0, sizeof(*entry));
	entry->place.file = listing->file_index;
	entry->desc.dtype = tensor->dtype;
	entry->desc.rank = tensor->rank;
	memcpy(entry->desc.shape, tensor->shape, (size_t) tensor->rank * sizeof(*tensor->shape));
	entry->desc.name = rf_arena_copy(&listing->checkpoint->arena, name, strlen(name));
	return entry->desc.name == NULL ? rf_error_memory(err, strlen(name) + 1) : RF_OK;
}

static RfCode
add_piece(Listing *listing, const Piece *piece, RfError *err)
{
	if (!listing->is_open)
		return fail(listing, RF_CORRUPT, "has data of no tensor", err);
	if (piece->offset > listing->file->size || piece->size > listing->file->size - piece->offset)
	{
		fail(listing, RF_CORRUPT, "has a tensor outside the file", err);
		rf_error_detail(err, "Its bytes are %" PRIu64 " from %" PRIu64 ", of %" PRIu64 ".",
						piece->size, piece->offset, listing->file->size);
		return RF_CORRUPT;
	}
	if (listing->total_pieces++ == RF_WALK_MAX_PIECES)
		return fail(listing, RF_LIMIT, "has too many pieces", err);
	RF_TRY(reserve(listing->scratch, (void **) &listing->pieces, listing->piece_count,
				   &listing->piece_capacity, sizeof(*piece), err));
	listing->pieces[listing->piece_count++] = *piece;
	return RF_OK;
}

static RfCode
keep_pieces(Listing *listing, RfWeightEntry *entry, RfError *err)
{
	RfWeightPiece *pieces;

	RF_NEW(&listing->checkpoint->arena, pieces, listing->piece_count, err);
	for (size_t i = 0; i < listing->piece_count; i++)
		pieces[i] = (RfWeightPiece){listing->pieces[i].offset, listing->pieces[i].size};
	entry->place.pieces = pieces;
	return RF_OK;
}

/* The tensor at work, if any, has all its pieces. */
static RfCode
end_tensor(Listing *listing, RfError *err)
{
	RfWeightEntry *entry;
	uint64_t size = 0;
	size_t bytes;

	if (!listing->is_open)
		return RF_OK;
	listing->is_open = false;
	if (listing->use == RF_VARIABLE_LEFT_OUT)
		return RF_OK;
	entry = &listing->entries[listing->count];
	for (size_t i = 0; i < listing->piece_count; i++)
	{
		if (__builtin_add_overflow(size, listing->pieces[i].size, &size))
			return fail_tensor(listing, RF_CORRUPT, entry->desc.name, "has too many bytes", err);
	}
	RF_TRY(rf_tensor_bytes(&entry->desc, &bytes, err));
	if (size != bytes)
	{
		char shape[128];

		fail_tensor(listing, RF_CORRUPT, entry->desc.name,
					"does not have the bytes its shape calls for", err);
		rf_error_detail(err, "Shape %s of %s takes %zu bytes, the file has %" PRIu64 ".",
						rf_tensor_shape_text(&entry->desc, shape, sizeof(shape)),
						rf_dtype_name(entry->desc.dtype), bytes, size);
		return RF_CORRUPT;
	}
	if (listing->piece_count == 1)
		entry->place.offset = listing->pieces[0].offset;
	else if (bytes > 0)
		RF_TRY(keep_pieces(listing, entry, err));
	RF_TRY(rf_weights_lay_out(entry, &listing->checkpoint->arena,
							  listing->use == RF_VARIABLE_TRANSPOSED, err));
	listing->count++;
	return RF_OK;
}

/* Reads exactly size bytes; false at the end of the reports. */
static bool
read_all(int fd, void *data, size_t size)
{
	char *to = data;

	while (size > 0)
	{
		ssize_t got = read(fd, to, size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		to += got;
		size -= (size_t) got;
	}
	return true;
}

static void
clean_text(char *text, size_t size)
{
	size_t valid = 0;
	size_t length;

	text[size - 1] = '\0';
	length = strlen(text);
	while ((valid += rf_utf8_valid_prefix(text + valid, length - valid)) < length)
		text[valid] = '?';
}

static RfCode
take_failure(const Listing *listing, const RfError *failure, RfError *err)
{
	RfError clean = *failure;

	clean_text(clean.message, sizeof(clean.message));
	clean_text(clean.detail, sizeof(clean.detail));
	if ((int) clean.code <= RF_OK || clean.code > RF_TOO_LONG || clean.message[0] == '\0')
		return fail(listing, RF_CORRUPT, "could not be read", err);
	rf_error_set(err, clean.code, "%s", clean.message);
	if (clean.detail[0] != '\0')
		rf_error_detail(err, "%s", clean.detail);
	rf_error_origin(err, listing->file->name, RF_NO_OFFSET);
	return clean.code;
}

typedef union Record
{
	RfWalkTensor tensor;
	Piece piece;
	RfError failure;
} Record;

/* Takes reports until the end; *ended stays false when they stop before. */
static RfCode
take_reports(Listing *listing, int fd, bool *ended, RfError *err)
{
	Record record;
	uint32_t kind;

	while (read_all(fd, &kind, sizeof(kind)))
	{
		switch (kind)
		{
			case KIND_TENSOR:
				if (!read_all(fd, &record.tensor, sizeof(record.tensor)))
					return RF_OK;
				RF_TRY(end_tensor(listing, err));
				RF_TRY(begin_tensor(listing, &record.tensor, err));
				break;
			case KIND_PIECE:
				if (!read_all(fd, &record.piece, sizeof(record.piece)))
					return RF_OK;
				RF_TRY(add_piece(listing, &record.piece, err));
				break;
			case KIND_FAILURE:
				if (!read_all(fd, &record.failure, sizeof(record.failure)))
					return RF_OK;
				return take_failure(listing, &record.failure, err);
			case KIND_END:
				*ended = true;
				return end_tensor(listing, err);
			default:
				return RF_OK;
		}
	}
	return RF_OK;
}

/* The child's status is of interest only when it ended without saying so. */
static RfCode
report_end(const Listing *listing, int status, RfError *err)
{
	if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL))
	{
		fail(listing, RF_LIMIT, "takes too much time or memory to look at", err);
		rf_error_detail(err, "The limit is %d seconds of processor time.", RF_WALK_SECONDS);
		return RF_LIMIT;
	}
	fail(listing, RF_CORRUPT, "broke the library that reads it", err);
	if (WIFSIGNALED(status))
		rf_error_detail(err, "The process that looked at it was ended by signal %d.",
						WTERMSIG(status));
	rf_error_hint(err, "The file is damaged, or made to do harm.");
	return RF_CORRUPT;
}

static RfCode
watch_child(Listing *listing, pid_t child, int fd, RfError *err)
{
	bool ended = false;
	RfCode code = take_reports(listing, fd, &ended, err);
	int status = 0;

	/* One that still writes gets SIGPIPE; one that does not may wait for its limit. */
	close(fd);
	if (code != RF_OK)
		kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return code != RF_OK || ended ? code : report_end(listing, status, err);
}

static RfCode
walk_in_child(Listing *listing, RfWalker walker, RfError *err)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) != 0)
	{
		int why = errno;

		return rf_error_os(err, why, "could not make a pipe: %s", strerror(why));
	}
	child = fork();
	if (child < 0)
	{
		int why = errno;

		close(ends[0]);
		close(ends[1]);
		return rf_error_os(err, why, "could not start a process: %s", strerror(why));
	}
	if (child == 0)
		run_child(listing->file, ends[1], walker);
	close(ends[1]);
	return watch_child(listing, child, ends[0], err);
}

static void
begin_listing(Listing *listing, RfCheckpoint *checkpoint, size_t file, RfWalkMapName map_name,
			  RfArena *scratch)
{
	rf_arena_init(scratch, checkpoint->arena.memory);
	*listing = (Listing){.checkpoint = checkpoint,
						 .file = &checkpoint->files[file],
						 .file_index = file,
						 .map_name = map_name,
						 .scratch = scratch};
}

/* Copies what was listed, unless it failed, and gives the scratch arena back. */
static RfCode
end_listing(Listing *listing, RfCode code, RfWeightEntry **entries, size_t *count, RfError *err)
{
	if (code == RF_OK)
	{
		*count = listing->count;
		*entries = rf_arena_alloc(&listing->checkpoint->arena, *count, sizeof(**entries));
		if (*entries == NULL)
			code = rf_error_memory(err, *count * sizeof(**entries));
		else if (*count > 0)
			memcpy(*entries, listing->entries, *count * sizeof(**entries));
	}
	rf_arena_free(listing->scratch);
	return code;
}

RfCode
rf_walk_file(RfCheckpoint *checkpoint, size_t file, RfWalker walker, RfWalkMapName map_name,
			 RfWeightEntry **entries, size_t *count, RfError *err)
{
	RfArena scratch;
	Listing listing;
	RfCode code;

	begin_listing(&listing, checkpoint, file, map_name, &scratch);
	code = walk_in_child(&listing, walker, err);
	return end_listing(&listing, code, entries, count, err);
}

RfCode
rf_walk_collect(RfCheckpoint *checkpoint, size_t file, int report, RfWalkMapName map_name,
				RfWeightEntry **entries, size_t *count, RfError *err)
{
	RfArena scratch;
	Listing listing;
	bool ended = false;
	RfCode code;

	begin_listing(&listing, checkpoint, file, map_name, &scratch);
	code = take_reports(&listing, report, &ended, err);
	if (code == RF_OK && !ended)
		code = fail(&listing, RF_CORRUPT, "has reports without an end", err);
	return end_listing(&listing, code, entries, count, err);
}
