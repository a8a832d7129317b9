/*
 * torch_zip.c - where tensors lie in a zip archive that torch.save wrote.
 *
 * Format: entries below one folder of any name: data.pkl, the pickle of the state dict; data/KEY,
 * the elements of a storage; byteorder, if there, "little" or "big"; others that don't matter. All
 * are stored, not compressed.
 *
 * libzip reads the directory; the data are read past it, row by row, with pread. libzip does not
 * tell where an entry's data lie, but asks the source it is given for them, and this source
 * remembers where: that is the offset by libzip's own reading of the entry's header, data
 * descriptors, ZIP64 and extra fields included. Nothing is decompressed, so no archive is a bomb;
 * checksums are left alone. Nothing of libzip is kept once the file is open.
 *
 * Enforced: entries have one folder and names without NUL, "..", or a leading slash (none becomes a
 * file name); each name once; what is read is neither compressed nor encrypted; data lie inside
 * the file and no two entries overlap; each storage as long as its tensors say. libzip allocates
 * for entries before it has seen them, and for the directory as a whole, so their number and size
 * are checked before: at most MAX_ENTRIES and MAX_DIRECTORY_SIZE.
 *
 * Source: PKWARE's APPNOTE 6.3.9; caffe2/serialize/inline_container.h of PyTorch.
 */
#include "torch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#define MAX_ENTRIES (RF_MAX_TENSORS + 64)
#define MAX_DIRECTORY_SIZE ((uint64_t) 64 * 1024 * 1024)
#define MAX_NAME 1024

#define END_SIZE 22        /* end of central directory record */
#define LOCATOR_SIZE 20    /* ZIP64 locator, before it */
#define END64_SIZE 56      /* ZIP64 end record */
#define MAX_COMMENT 0xFFFF /* behind the end record */

typedef struct Source
{
	const RfOpenFile *file;
	uint64_t at;
	uint64_t last_read; /* offset of the latest read */
	zip_error_t error;
	RfError *err; /* of a read that failed */
} Source;

typedef struct Entry
{
	const char *name; /* behind the folder */
	uint64_t offset;
	uint64_t size;
	bool is_plain; /* neither compressed nor encrypted */
} Entry;

typedef struct Archive
{
	Source source;
	RfArena *scratch;
	zip_t *zip;
	Entry *entries; /* [count] in order of names */
	size_t count;
	RfError *err;
} Archive;

static RfCode
at_file(const Archive *archive, RfCode code)
{
	rf_error_origin(archive->err, archive->source.file->name, RF_NO_OFFSET);
	return code;
}

static RfCode
corrupt(const Archive *archive, const char *what)
{
	rf_error_set(archive->err, RF_CORRUPT, "zip archive \"%s\" %s", archive->source.file->name,
				 what);
	return at_file(archive, RF_CORRUPT);
}

static RfCode
bad_entry(const Archive *archive, RfCode code, const char *name, const char *what)
{
	rf_error_set(archive->err, code, "entry \"%s\" of zip archive \"%s\" %s", name,
				 archive->source.file->name, what);
	return at_file(archive, code);
}

/* The source libzip reads from */

static zip_int64_t
source_read(Source *source, void *data, zip_uint64_t length)
{
	uint64_t left = source->file->size - source->at;

	if (length > left)
		length = left;
	if (rf_open_file_read(source->file, source->at, (size_t) length, data, source->err) != RF_OK)
	{
		zip_error_set(&source->error, ZIP_ER_READ, 0);
		return -1;
	}
	source->last_read = source->at;
	source->at += length;
	return (zip_int64_t) length;
}

static zip_int64_t
source_seek(Source *source, void *data, zip_uint64_t length)
{
	zip_int64_t at =
		zip_source_seek_compute_offset(source->at, source->file->size, data, length, &source->error);

	if (at < 0)
		return -1;
	source->at = (uint64_t) at;
	return 0;
}

static zip_int64_t
source_stat(Source *source, void *data, zip_uint64_t length)
{
	zip_stat_t *status = ZIP_SOURCE_GET_ARGS(zip_stat_t, data, length, &source->error);

	if (status == NULL)
		return -1;
	zip_stat_init(status);
	status->size = source->file->size;
	status->valid = ZIP_STAT_SIZE;
	return sizeof(*status);
}

static zip_int64_t
source_call(void *context, void *data, zip_uint64_t length, zip_source_cmd_t command)
{
	Source *source = context;

	switch (command)
	{
		case ZIP_SOURCE_OPEN: source->at = 0; return 0;
		case ZIP_SOURCE_READ: return source_read(source, data, length);
		case ZIP_SOURCE_SEEK: return source_seek(source, data, length);
		case ZIP_SOURCE_TELL: return (zip_int64_t) source->at;
		case ZIP_SOURCE_STAT: return source_stat(source, data, length);
		case ZIP_SOURCE_ERROR: return zip_error_to_data(&source->error, data, length);
		case ZIP_SOURCE_CLOSE:
		case ZIP_SOURCE_FREE: return 0;
		case ZIP_SOURCE_SUPPORTS: return ZIP_SOURCE_SUPPORTS_SEEKABLE;
		default: zip_error_set(&source->error, ZIP_ER_OPNOTSUPP, 0); return -1;
	}
}

/* What libzip would allocate */

static uint64_t
number_at(const char *bytes, size_t size)
{
	uint64_t number = 0;

	memcpy(&number, bytes, size);
	return number;
}

static RfCode
check_directory(const Archive *archive, uint64_t entries, uint64_t size)
{
	if (entries > MAX_ENTRIES)
		rf_error_set(archive->err, RF_LIMIT,
					 "zip archive \"%s\" has %" PRIu64 " entries, more than %zu",
					 archive->source.file->name, entries, MAX_ENTRIES);
	else if (size > MAX_DIRECTORY_SIZE)
		rf_error_set(archive->err, RF_LIMIT,
					 "directory of zip archive \"%s\" has %" PRIu64 " bytes, more than %" PRIu64,
					 archive->source.file->name, size, MAX_DIRECTORY_SIZE);
	else
		return RF_OK;
	return at_file(archive, RF_LIMIT);
}

/* locator is where a ZIP64 locator would be; the record it leads to may lie anywhere. */
static RfCode
check_end64(const Archive *archive, const char *locator)
{
	char record[END64_SIZE];
	uint64_t offset = number_at(locator + 8, 8);
	uint64_t size = archive->source.file->size;

	if (memcmp(locator, "PK\6\7", 4) != 0 || size < END64_SIZE || offset > size - END64_SIZE)
		return RF_OK;
	RF_TRY(rf_open_file_read(archive->source.file, offset, sizeof(record), record, archive->err));
	RF_TRY(check_directory(archive, number_at(record + 24, 8), number_at(record + 40, 8)));
	return check_directory(archive, number_at(record + 32, 8), 0);
}

/*
 * libzip tries every end record in the last 64 kB, whichever may turn out the best; so all that
 * could be true are checked. Bytes of a tensor that look like one by chance could not.
 */
static RfCode
check_ends(Archive *archive)
{
	uint64_t file_size = archive->source.file->size;
	size_t size = END_SIZE + MAX_COMMENT + LOCATOR_SIZE;
	uint64_t begin;
	char *tail;

	if (file_size < size)
		size = (size_t) file_size;
	begin = file_size - size;
	RF_NEW(archive->scratch, tail, size, archive->err);
	RF_TRY(rf_open_file_read(archive->source.file, begin, size, tail, archive->err));
	for (size_t i = 0; i + END_SIZE <= size; i++)
	{
		uint64_t directory_size = number_at(tail + i + 12, 4);

		if (memcmp(tail + i, "PK\5\6", 4) != 0)
			continue;
		if (directory_size + number_at(tail + i + 16, 4) <= begin + i)
			RF_TRY(check_directory(archive, number_at(tail + i + 10, 2), directory_size));
		if (i >= LOCATOR_SIZE)
			RF_TRY(check_end64(archive, tail + i - LOCATOR_SIZE));
	}
	return RF_OK;
}

/* Entries */

static RfCode
check_name(const Archive *archive, const char *name)
{
	const char *component = name;

	for (const char *p = name; *p != '\0'; p++)
	{
		if ((unsigned char) *p < ' ' || (unsigned char) *p > '~' || *p == '\\')
			return corrupt(archive, "has an entry with unusual characters in its name");
		if (p - name >= MAX_NAME)
			return corrupt(archive, "has an entry with a very long name");
	}
	if (name[0] == '\0' || name[0] == '/')
		return bad_entry(archive, RF_CORRUPT, name, "has no relative name");
	for (;;)
	{
		size_t length = strcspn(component, "/");

		if (length == 2 && memcmp(component, "..", 2) == 0)
			return bad_entry(archive, RF_CORRUPT, name, "leaves the archive");
		if (component[length] == '\0')
			return RF_OK;
		component += length + 1;
	}
}

/* Reads a byte, so that the source sees where. */
static RfCode
find_data(Archive *archive, zip_uint64_t index, Entry *entry)
{
	zip_file_t *file;
	zip_int64_t got;
	char byte;

	if (entry->size == 0)
		return RF_OK;
	file = zip_fopen_index(archive->zip, index, ZIP_FL_COMPRESSED);
	if (file == NULL)
		return bad_entry(archive, RF_CORRUPT, entry->name, "has no header");
	got = zip_fread(file, &byte, 1);
	zip_fclose(file);
	if (got != 1)
		return bad_entry(archive, RF_CORRUPT, entry->name, "has no data");
	entry->offset = archive->source.last_read;
	if (entry->offset > archive->source.file->size ||
		entry->size > archive->source.file->size - entry->offset)
		return bad_entry(archive, RF_CORRUPT, entry->name, "lies outside the file");
	return RF_OK;
}

/* Sets *folder [*length], with its slash, from the first entry, and compares the others with it. */
static RfCode
read_entry(Archive *archive, zip_uint64_t index, const char **folder, size_t *length)
{
	Entry *entry = &archive->entries[index];
	const char *slash;
	const char *name;
	zip_stat_t status;

	if (zip_stat_index(archive->zip, index, ZIP_FL_ENC_RAW, &status) != 0 ||
		(status.valid & ZIP_STAT_NAME) == 0 || (status.valid & ZIP_STAT_SIZE) == 0 ||
		(status.valid & ZIP_STAT_COMP_SIZE) == 0 || (status.valid & ZIP_STAT_COMP_METHOD) == 0)
		return corrupt(archive, "has an entry that can not be read");
	RF_TRY(check_name(archive, status.name));
	name = rf_arena_copy(archive->scratch, status.name, strlen(status.name));
	if (name == NULL)
		return rf_error_memory(archive->err, strlen(status.name) + 1);
	slash = strchr(name, '/');
	if (slash == NULL)
		return bad_entry(archive, RF_CORRUPT, name, "is in no folder");
	if (*folder == NULL)
	{
		*folder = name;
		*length = (size_t) (slash + 1 - name);
	}
	else if (strncmp(*folder, name, *length) != 0)
		return bad_entry(archive, RF_CORRUPT, name, "is in another folder than the first");
	entry->name = name + *length;
	entry->size = status.comp_size;
	entry->is_plain = status.comp_method == ZIP_CM_STORE && status.size == status.comp_size &&
					  status.encryption_method == ZIP_EM_NONE;
	return find_data(archive, index, entry);
}

static int
compare_offsets(const void *a, const void *b)
{
	const Entry *left = a;
	const Entry *right = b;

	if (left->offset != right->offset)
		return left->offset < right->offset ? -1 : 1;
	return 0;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const Entry *) a)->name, ((const Entry *) b)->name);
}

/* Leaves entries in order of names. */
static RfCode
check_entries(Archive *archive)
{
	uint64_t covered = 0;

	qsort(archive->entries, archive->count, sizeof(Entry), compare_offsets);
	for (size_t i = 0; i < archive->count; i++)
	{
		const Entry *entry = &archive->entries[i];

		if (entry->size == 0)
			continue;
		if (entry->offset < covered)
			return bad_entry(archive, RF_CORRUPT, entry->name, "overlaps another one");
		covered = entry->offset + entry->size;
	}
	qsort(archive->entries, archive->count, sizeof(Entry), compare_names);
	for (size_t i = 1; i < archive->count; i++)
	{
		if (strcmp(archive->entries[i - 1].name, archive->entries[i].name) == 0)
			return bad_entry(archive, RF_CORRUPT, archive->entries[i].name,
							 "is there more than once");
	}
	return RF_OK;
}

static RfCode
read_entries(Archive *archive)
{
	zip_int64_t count = zip_get_num_entries(archive->zip, 0);
	const char *folder = NULL;
	size_t length = 0;

	RF_TRY(check_directory(archive, (uint64_t) count, 0));
	archive->count = (size_t) count;
	RF_NEW0(archive->scratch, archive->entries, archive->count, archive->err);
	for (zip_uint64_t i = 0; i < archive->count; i++)
		RF_TRY(read_entry(archive, i, &folder, &length));
	return check_entries(archive);
}

static RfCode
open_archive(Archive *archive)
{
	zip_error_t error;
	zip_source_t *source;
	RfCode code;

	RF_TRY(check_ends(archive));
	zip_error_init(&error);
	zip_error_init(&archive->source.error);
	source = zip_source_function_create(source_call, &archive->source, &error);
	archive->zip = source == NULL ? NULL : zip_open_from_source(source, ZIP_RDONLY, &error);
	if (archive->zip == NULL)
	{
		if (zip_error_code_zip(&error) == ZIP_ER_MEMORY)
			code = rf_error_memory(archive->err, (size_t) archive->source.file->size);
		else
			code = corrupt(archive, "has no readable directory");
		zip_source_free(source);
	}
	else
	{
		code = read_entries(archive);
		zip_discard(archive->zip);
	}
	zip_error_fini(&archive->source.error);
	zip_error_fini(&error);
	return code;
}

/* NULL without error when there is none and it is not required. */
static RfCode
get_entry(const Archive *archive, const char *name, bool required, const Entry **entry)
{
	Entry probe = {.name = name};

	*entry = bsearch(&probe, archive->entries, archive->count, sizeof(Entry), compare_names);
	if (*entry == NULL)
		return required ? bad_entry(archive, RF_CORRUPT, name, "is missing") : RF_OK;
	if (!(*entry)->is_plain)
		return bad_entry(archive, RF_UNSUPPORTED, name, "is compressed or encrypted");
	return RF_OK;
}

static RfCode
check_byte_order(const Archive *archive)
{
	const Entry *entry;
	char order[6] = {0};

	RF_TRY(get_entry(archive, "byteorder", false, &entry));
	if (entry == NULL)
		return RF_OK;
	if (entry->size <= sizeof(order))
		RF_TRY(rf_open_file_read(archive->source.file, entry->offset, (size_t) entry->size, order,
								 archive->err));
	if (entry->size == 6 && memcmp(order, "little", 6) == 0)
		return RF_OK;
	if (entry->size == 3 && memcmp(order, "big", 3) == 0)
	{
		rf_error_set(archive->err, RF_UNSUPPORTED,
					 "file \"%s\" was written on a big-endian machine", archive->source.file->name);
		return at_file(archive, RF_UNSUPPORTED);
	}
	return bad_entry(archive, RF_CORRUPT, entry->name, "does not say a byte order");
}

static RfCode
read_state_dict(Archive *archive, RfTorchTensor **tensors, size_t *count)
{
	const Entry *entry;
	RfPickleValue value;
	uint64_t offset;

	RF_TRY(get_entry(archive, "data.pkl", true, &entry));
	offset = entry->offset;
	RF_TRY(rf_pickle_read(archive->source.file, &offset, entry->offset + entry->size,
						  archive->scratch, &value, archive->err));
	return rf_torch_list_tensors(archive->source.file->name, &value, archive->scratch, tensors,
								 count, archive->err);
}

static RfCode
locate_storage(const Archive *archive, const RfTorchStorage *storage, uint64_t *offset)
{
	char name[MAX_NAME] = "data/";
	const Entry *entry;

	if (strlen(storage->key) >= sizeof(name) - strlen(name) || storage->is_view)
		return corrupt(archive, "has a storage as the zip form has none");
	strcat(name, storage->key);
	RF_TRY(get_entry(archive, name, true, &entry));
	if (entry->size != rf_torch_storage_bytes(storage))
	{
		bad_entry(archive, RF_CORRUPT, name, "does not have the bytes its tensors say");
		rf_error_detail(archive->err, "It has %" PRIu64 " bytes, its tensors say %" PRIu64 ".",
						entry->size, rf_torch_storage_bytes(storage));
		return RF_CORRUPT;
	}
	*offset = entry->offset;
	return RF_OK;
}

RfCode
rf_torch_zip_locate(const RfOpenFile *file, RfArena *scratch, RfTorchTensor **tensors,
					size_t *count, uint64_t **offsets, RfError *err)
{
	Archive archive = {.source = {.file = file, .err = err}, .scratch = scratch, .err = err};

	RF_TRY(open_archive(&archive));
	RF_TRY(check_byte_order(&archive));
	RF_TRY(read_state_dict(&archive, tensors, count));
	RF_NEW(scratch, *offsets, *count, err);
	for (size_t i = 0; i < *count; i++)
		RF_TRY(locate_storage(&archive, &(*tensors)[i].storage, &(*offsets)[i]));
	return RF_OK;
}
