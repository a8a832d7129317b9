/*
 * content.h - what a model consists of, put together and checked before any of it is used: the
 * text files of a model directory, the tensors of its checkpoint, the dictionary of Chinese words.
 *
 * Whoever loads a model goes through these steps in this order: the server from a directory or from
 * what a client sends, the client before it sends anything.
 */
#ifndef RF_CONTENT_H
#define RF_CONTENT_H

#include "rf/spec.h"
#include "rf/tensor.h"

/* The dictionary as a file of the model; it is not looked for in a model's directory. */
#define RF_DICTIONARY_FILE "jieba/dict.txt"
/* Where Debian's policy puts what the package python3-jieba has. */
#define RF_DICTIONARY_PACKAGE_PATH "/usr/lib/python3/dist-packages/jieba/dict.txt"
#define RF_DICTIONARY_LIMIT ((size_t) 256 * 1024 * 1024)

typedef struct RfContent
{
	RfArena arena;
	RfFile *files; /* [file_count] in order of their names (byte order) */
	size_t file_count;
	RfSpec spec;                 /* set by rf_content_parse */
	const RfTensorDesc *tensors; /* as given to rf_content_match */
	RfMatch match;               /* set by rf_content_match */
} RfContent;

extern void rf_content_init(RfContent *content, RfMemory memory);
extern void rf_content_free(RfContent *content);

/*
 * Whether such a file can be added: one of rf_model_files, or the dictionary. RF_INVALID for any
 * other name and for one that is there already, RF_LIMIT for more bytes than such a file may have.
 */
extern RfCode rf_content_check_file(const RfContent *content, const char *name, size_t size,
									RfError *err);
/* Adds it, where it can be; data is not copied. */
extern RfCode rf_content_add_file(RfContent *content, const char *name, const char *data,
								  size_t size, RfError *err);
/* The files of a directory, as rf_spec_read_files; none has been added yet. */
extern RfCode rf_content_read_files(RfContent *content, const char *directory, RfError *err);

/* The files' meaning; RF_NOT_FOUND when a required one is not there, else as rf_spec_parse. */
extern RfCode rf_content_parse(RfContent *content, RfError *err);
/*
 * Whether the tensors (not copied) are those of the model, as rf_spec_match, and whether the
 * tokenizer can be compiled and has an embedding for all its tokens.
 */
extern RfCode rf_content_match(RfContent *content, const RfTensorDesc *tensors, size_t count,
							   RfError *err);
/* Parameter number index as it is stored: its canonical name, the type it has in the checkpoint. */
extern RfTensorDesc rf_content_parameter(const RfContent *content, size_t index);

/* Once parsed: whether the tokenizer cuts Chinese words. */
extern bool rf_content_needs_dictionary(const RfContent *content);
/* Reads the file (absolute or relative to the working directory) as dictionary and adds it. */
extern RfCode rf_content_read_dictionary(RfContent *content, const char *path, RfError *err);
/* The dictionary that was added, or NULL. */
extern const RfFile *rf_content_dictionary(const RfContent *content);
/* Whether it can be compiled, as rf_jieba_compile; abort_fn may be NULL. */
extern RfCode rf_content_check_dictionary(RfContent *content, const RfAbort *abort_fn,
										  RfError *err);

#endif
