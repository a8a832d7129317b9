/*
 * import_report.c - what --dry-run says about a model directory.
 */
#include "import_report.h"

#include <inttypes.h>
#include <stdarg.h>

static void RF_PRINTF(3, 4) line(FILE *stream, const char *title, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	/* names come from files: nothing in them may be an order to a terminal */
	for (char *c = text; *c != '\0'; c++)
	{
		if ((unsigned char) *c < 0x20 || *c == 0x7F)
			*c = '?';
	}
	fprintf(stream, "%-14s %s\n", title, text);
}

static void
report_sizes(FILE *stream, const RfConfig *config)
{
	line(stream, "layers", "%d", (int) config->num_hidden_layers);
	line(stream, "hidden size", "%d", (int) config->hidden_size);
	line(stream, "vocabulary", "%d", (int) config->vocab_size);
	if (config->num_labels > 0)
		line(stream, "labels", "%d", (int) config->num_labels);
}

/* "F32 (201), F16 (3)" */
static void
report_types(FILE *stream, const RfContent *content)
{
	size_t seen[RF_BOOL + 1] = {0};
	char text[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < content->match.count; i++)
		seen[rf_content_parameter(content, i).dtype]++;
	for (int dtype = 0; dtype <= RF_BOOL; dtype++)
	{
		if (seen[dtype] > 0)
			used += (size_t) snprintf(text + used, sizeof(text) - used, "%s%s (%zu)",
									  used > 0 ? ", " : "", rf_dtype_name((RfDtype) dtype),
									  seen[dtype]);
	}
	line(stream, "types", "%s", text);
}

static void
report_tensors(FILE *stream, const ImportModel *model)
{
	const RfMatch *match = &model->content.match;
	char bytes[32];

	import_progress_size(model->file_bytes + model->tensor_bytes, bytes, sizeof(bytes));
	line(stream, "parameters", "%" PRIu64, match->total);
	line(stream, "tensors", "%zu", match->count);
	report_types(stream, &model->content);
	line(stream, "size", "%s", bytes);
	line(stream, "missing", "none");
	if (match->unexpected_count == 0)
		line(stream, "unexpected", "none");
	for (size_t i = 0; i < match->unexpected_count; i++)
		line(stream, i == 0 ? "unexpected" : "", "%s", match->unexpected[i]);
}

static void
report_dictionary(FILE *stream, const ImportModel *model)
{
	if (rf_content_needs_dictionary(&model->content))
		line(stream, "dictionary", "%s",
			 model->dictionary != NULL ? model->dictionary : "none here; the server's is taken");
}

/* What is not known, because opening the model failed there, is left out. */
void
import_report(FILE *stream, const char *name, const ImportModel *model, const char *digest)
{
	const RfContent *content = &model->content;
	bool parsed = content->spec.architecture[0] != '\0';

	line(stream, "name", "%s", name);
	line(stream, "directory", "%s", model->directory);
	if (model->checkpoint != NULL)
		line(stream, "weights", "%s", rf_checkpoint_file(model->checkpoint));
	if (parsed)
	{
		line(stream, "architecture", "%s", content->spec.architecture);
		line(stream, "task", "%s", rf_task_name(content->spec.config.task));
		report_sizes(stream, &content->spec.config);
	}
	if (model->tensor_bytes > 0)
		report_tensors(stream, model);
	if (parsed)
		report_dictionary(stream, model);
	if (digest != NULL)
		line(stream, "digest", "%s", digest);
}
