# roformer: RoFormer models inside PostgreSQL.
#
#   make quickstart    install what is needed, build, run the main job on bundled models and rows
#   make check         the same set-up, then every test
#   make deps          install the distribution's packages, nothing else
#   make && make install    build and install for the PostgreSQL that pg_config belongs to

MODULE_big = roformer
EXTENSION = roformer
DATA_built = sql/roformer--1.0.sql
PGFILEDESC = "roformer - RoFormer models inside the database"

ENGINE_DIRS = base kernels tensor tokenizer checkpoint model engine
ENGINE_SRCS = $(sort $(wildcard $(ENGINE_DIRS:%=src/%/*.c)) $(wildcard src/kernels/*/*.c))
SERVER_SRCS = src/roformer.c $(sort $(wildcard src/pg/*/*.c))
ENGINE_OBJS = $(ENGINE_SRCS:.c=.o)
OBJS = $(ENGINE_OBJS) $(SERVER_SRCS:.c=.o)
SQL_PARTS = $(sort $(wildcard sql/parts/*.sql))

# No contraction of a*b+c into fma behind the source's back: results must not depend on the compiler.
ENGINE_CFLAGS = -std=gnu11 -O3 -ffp-contract=off -fno-math-errno -Wall -Wextra -Wmissing-prototypes -Wno-declaration-after-statement
PG_CPPFLAGS = -I$(srcdir)/include -MMD -MP
SHLIB_LINK = -ljansson -lutf8proc -lm -ldl

EXTRA_CLEAN = sql/roformer--1.0.sql $(OBJS:.o=.d) build

# Bitcode for JIT inlining is no use for kernels and would need clang to understand every target attribute.
override with_llvm = no

PG_CONFIG ?= pg_config
ifneq (,$(shell command -v $(PG_CONFIG) 2>/dev/null))
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
else
srcdir = .
endif

$(ENGINE_OBJS): override CFLAGS := $(filter-out -O%,$(CFLAGS)) $(ENGINE_CFLAGS)

sql/roformer--1.0.sql: $(SQL_PARTS)
	cat $^ > $@

-include $(OBJS:.o=.d)
