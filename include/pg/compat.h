/*
 * compat.h - the only place that knows PostgreSQL's versions (15 to 18).
 */
#ifndef ROFORMER_COMPAT_H
#define ROFORMER_COMPAT_H

#include "postgres.h"

#include "commands/explain.h"
#if PG_VERSION_NUM >= 170000
#include "storage/procnumber.h"
#else
#include "storage/backendid.h"
#endif
#include "utils/wait_event.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif

#if PG_VERSION_NUM < 150000
#error "roformer needs PostgreSQL 15 or newer"
#endif

/* 16 made the wait-event class of extensions nameable; before that there is one event for all. */
#if PG_VERSION_NUM >= 170000
#define roformer_wait_event(name) WaitEventExtensionNew(name)
#else
#define roformer_wait_event(name) PG_WAIT_EXTENSION
#endif

/* This backend's number, from 0, below MaxBackends; 17 gave it another name. */
#if PG_VERSION_NUM >= 170000
#define roformer_backend_number() ((int) MyProcNumber)
#else
#define roformer_backend_number() (MyBackendId - 1)
#endif

/* The index of a relation's primary key that isn't deferrable; 18 added an argument. */
#if PG_VERSION_NUM >= 180000
#define roformer_primary_key_index(relation) RelationGetPrimaryKeyIndex(relation, false)
#else
#define roformer_primary_key_index(relation) RelationGetPrimaryKeyIndex(relation)
#endif

/* 18 put this before the declaration, by this name. */
#ifndef pg_noreturn
#define pg_noreturn __attribute__((noreturn))
#endif

/* 18 counts disabled nodes up the plan, and EXPLAIN names the node where the count grows. */
#if PG_VERSION_NUM >= 180000
#define roformer_take_disabled(plan, child) ((plan)->disabled_nodes = (child)->disabled_nodes)
#else
#define roformer_take_disabled(plan, child) ((void) 0)
#endif

/* Tables and the like of the explained statement; 18 has one more in the list if it groups. */
#if PG_VERSION_NUM >= 180000
#define roformer_explained_tables(es) ((es)->rtable_size)
#else
#define roformer_explained_tables(es) list_length((es)->rtable)
#endif

/* A generated column that is not stored: 18. */
#if PG_VERSION_NUM >= 180000
#define ROFORMER_GENERATED_VIRTUAL ATTRIBUTE_GENERATED_VIRTUAL
#else
#define ROFORMER_GENERATED_VIRTUAL 'v'
#endif

/* 17 brought transaction_timeout, which ends the session without ProcDiePending. */
#if PG_VERSION_NUM >= 170000
#define roformer_transaction_timeout_pending() (TransactionTimeoutPending)
#else
#define roformer_transaction_timeout_pending() (false)
#endif

#endif
