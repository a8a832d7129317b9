/*
 * roformer.c - _PG_init: a table of contents.
 */
#include "postgres.h"
#include "fmgr.h"
#include "miscadmin.h"

#include "pg/cache.h"
#include "pg/catalog.h"
#include "pg/scan.h"
#include "pg/session.h"
#include "pg/stats.h"
#include "pg/support.h"

PG_MODULE_MAGIC;

void _PG_init(void);

void
_PG_init(void)
{
	roformer_settings_define();
	roformer_catalog_init();
	roformer_cache_init();
	roformer_session_init();
	roformer_stats_init();
	roformer_scan_init();
}
