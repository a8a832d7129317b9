/*
 * catalog_forget.c - contents that the end of a transaction makes unreachable.
 *
 * What a transaction dropped or replaced is gone when it commits, what it loaded when it aborts;
 * the same holds for subtransactions that abort. A prepared transaction ends in a backend that
 * knows nothing of this: both kinds are forgotten when it is prepared. That costs one more load
 * where a dropped content is used until COMMIT PREPARED, after which the cache's own replacement
 * ends it.
 *
 * The list lies in the transaction's memory: it goes with the transaction, whatever happens.
 */
#include "catalog_private.h"

#include "access/xact.h"
#include "lib/ilist.h"
#include "utils/memutils.h"

typedef struct PendingContent
{
	slist_node node;
	uint8 digest[ROFORMER_DIGEST_LENGTH];
	bool on_commit; /* else on abort */
	int level;      /* nesting level of the transaction that did it */
} PendingContent;

RoformerForgetHook roformer_catalog_forget_hook = NULL;

static slist_head pending = SLIST_STATIC_INIT(pending);

static void
add_pending(const uint8 *digest, bool on_commit)
{
	PendingContent *content = MemoryContextAlloc(TopTransactionContext, sizeof(PendingContent));

	memcpy(content->digest, digest, sizeof(content->digest));
	content->on_commit = on_commit;
	content->level = GetCurrentTransactionNestLevel();
	slist_push_head(&pending, &content->node);
}

void
roformer_forget_at_commit(const uint8 *digest)
{
	add_pending(digest, true);
}

void
roformer_forget_at_abort(const uint8 *digest)
{
	add_pending(digest, false);
}

static void
forget(const PendingContent *content)
{
	if (roformer_catalog_forget_hook != NULL)
		roformer_catalog_forget_hook(content->digest);
}

static void
forget_at_end(XactEvent event, void *arg)
{
	slist_iter iter;
	bool prepared = event == XACT_EVENT_PREPARE;
	bool committed = event == XACT_EVENT_COMMIT;

	if (!prepared && !committed && event != XACT_EVENT_ABORT)
		return;
	slist_foreach(iter, &pending)
	{
		const PendingContent *content = slist_container(PendingContent, node, iter.cur);

		if (prepared || content->on_commit == committed)
			forget(content);
	}
	slist_init(&pending);
}

static void
end_subtransaction(bool committed, int level)
{
	slist_mutable_iter iter;

	slist_foreach_modify(iter, &pending)
	{
		PendingContent *content = slist_container(PendingContent, node, iter.cur);

		if (content->level < level)
			continue;
		if (committed)
			content->level = level - 1;
		else
		{
			slist_delete_current(&iter);
			if (!content->on_commit)
				forget(content);
			pfree(content);
		}
	}
}

static void
forget_at_subtransaction_end(SubXactEvent event, SubTransactionId subtransaction,
							 SubTransactionId parent, void *arg)
{
	int level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_COMMIT_SUB)
		end_subtransaction(true, level);
	else if (event == SUBXACT_EVENT_ABORT_SUB)
		end_subtransaction(false, level);
}

void
roformer_forget_init(void)
{
	RegisterXactCallback(forget_at_end, NULL);
	RegisterSubXactCallback(forget_at_subtransaction_end, NULL);
}
