# roformer: RoFormer models inside PostgreSQL.
#
#   make quickstart         install what is needed, build, run the main job on bundled models and real rows
#   make check              the same set-up, then every test; SUITE="unit sql" or make check-sql for some
#   make check-emulated     tests of kernel sets that this processor may lack, in an emulator; SETS="amx" for some
#   make check-versions     as root: build and test with PostgreSQL 16, 17 and 18 in throw-away systems; VERSIONS="18" for some
#   make deps               install the distribution's packages, nothing else
#   make && make install    build and install for the PostgreSQL that pg_config belongs to
#   make installcheck       SQL tests against a running server that has the extension

OWN_GOALS = deps quickstart quickstart-stop check check-% bench bench-%

ifneq (,$(filter $(OWN_GOALS),$(MAKECMDGOALS)))

# Goals that need no PostgreSQL when make starts: scripts install it, then call make for the goals below.

.PHONY: $(MAKECMDGOALS)

deps:
	@test/deps.sh
quickstart:
	@demo/quickstart.sh
quickstart-stop:
	@demo/quickstart.sh stop
check:
	@test/run $(SUITE)
check-emulated:
	@test/emulator.sh $(SETS)
check-versions:
	@test/versions.sh $(VERSIONS)
$(filter-out check-emulated check-versions,$(filter check-%,$(MAKECMDGOALS))): check-%:
	@test/run $*
bench:
	@bench/run
$(filter bench-%,$(MAKECMDGOALS)): bench-%:
	@bench/run $*

ifneq (,$(filter-out $(OWN_GOALS),$(MAKECMDGOALS)))
$(filter-out $(OWN_GOALS),$(MAKECMDGOALS)):
	@$(MAKE) $@
endif

else

MODULE_big = roformer
EXTENSION = roformer
DATA_built = sql/roformer--1.0.sql
PGFILEDESC = "roformer - RoFormer models inside the database"

ENGINE_DIRS = base kernels tensor tokenizer checkpoint model engine
ENGINE_SRCS = $(sort $(wildcard $(ENGINE_DIRS:%=src/%/*.c)) $(wildcard src/kernels/*/*.c))
SERVER_SRCS = src/roformer.c $(sort $(wildcard src/pg/*/*.c))
ENGINE_OBJS = $(ENGINE_SRCS:.c=.o)
OBJS = $(ENGINE_OBJS) $(SERVER_SRCS:.c=.o)
CLIENT = roformer_import
CLIENT_OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/client/*.c)))
SQL_PARTS = $(sort $(wildcard sql/parts/*.sql))

# No contraction of a*b+c into fma behind the source's back: results must not depend on the compiler.
ENGINE_CFLAGS = -std=gnu11 -O3 -ffp-contract=off -fno-math-errno -Wall -Wextra -Wmissing-prototypes -Wno-declaration-after-statement
ENGINE_LIBS = -ljansson -lzip -lutf8proc -lm -ldl

# Readers for the client program and tests: what they link must not be in a server process.
FOREIGN_SRCS = $(sort $(wildcard src/foreign/*.c))
FOREIGN_OBJS = $(FOREIGN_SRCS:.c=.o)
# Debian's serial HDF5 has names of its own.
ifneq (,$(wildcard /usr/include/hdf5/serial/hdf5.h))
HDF5_CPPFLAGS ?= -isystem /usr/include/hdf5/serial
HDF5_LIBS ?= -lhdf5_serial
else
HDF5_LIBS ?= -lhdf5
endif
# msgpack-c's library took the dash into its name with 6.0.
MSGPACK_LIBS ?= $(if $(filter /%,$(shell $(CC) -print-file-name=libmsgpack-c.so)),-lmsgpack-c,-lmsgpackc)
FOREIGN_LIBS = $(HDF5_LIBS) $(MSGPACK_LIBS)
PG_CPPFLAGS = -I$(srcdir)/include -MMD -MP
SHLIB_LINK = $(ENGINE_LIBS)

REGRESS = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test
export ROFORMER_GOLDEN ?= $(CURDIR)/test/golden/data
export ROFORMER_DEMO ?= $(CURDIR)/demo/data

EXTRA_CLEAN = sql/roformer--1.0.sql $(OBJS:.o=.d) $(CLIENT) $(CLIENT_OBJS) $(CLIENT_OBJS:.o=.d) $(FOREIGN_OBJS) $(FOREIGN_OBJS:.o=.d) build

# Bitcode for JIT inlining is no use for kernels and would need clang to understand every target attribute.
override with_llvm = no

PG_CONFIG ?= pg_config
ifneq (,$(shell command -v $(PG_CONFIG) 2>/dev/null))
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
else
srcdir = .
all install installcheck:
	@echo "roformer: no $(PG_CONFIG) here: run 'make deps', or set PG_CONFIG" >&2; exit 1
clean:
	rm -rf $(MODULE_big).so $(OBJS) $(EXTRA_CLEAN)
endif

$(ENGINE_OBJS) $(FOREIGN_OBJS): override CFLAGS := $(filter-out -O%,$(CFLAGS)) $(ENGINE_CFLAGS)
$(FOREIGN_OBJS): override CPPFLAGS += -D_GNU_SOURCE $(HDF5_CPPFLAGS)

# The client program: the engine's readers, libpq, and what PostgreSQL has for its own programs. PGXS can build a module or a
# program, not both.
CLIENT_CPPFLAGS = -I$(libpq_srcdir) -DROFORMER_VERSION='"$(shell sed -n "s/^default_version = '\(.*\)'/\1/p" $(srcdir)/roformer.control)"'
# 17 no longer names these libraries in libpq_pgport.
CLIENT_LIBS = -L$(pkglibdir) -lpgcommon -lpgport $(libpq_pgport) $(if $(filter openssl,$(with_ssl)),-lcrypto) $(FOREIGN_LIBS) $(ENGINE_LIBS)
$(CLIENT_OBJS): override CPPFLAGS += $(CLIENT_CPPFLAGS)
$(CLIENT_OBJS): override CFLAGS := $(CFLAGS) -std=gnu11 -Wextra -Wmissing-prototypes -Wno-declaration-after-statement
$(CLIENT): $(CLIENT_OBJS) build/foreign.a build/engine.a
	$(CC) $(CFLAGS) $^ $(LDFLAGS) $(LDFLAGS_EX) $(CLIENT_LIBS) -o $@

.PHONY: install-client uninstall-client
all: $(CLIENT)
install: install-client
install-client: $(CLIENT)
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	$(INSTALL_PROGRAM) $(CLIENT) '$(DESTDIR)$(bindir)/'
uninstall: uninstall-client
uninstall-client:
	rm -f '$(DESTDIR)$(bindir)/$(CLIENT)'

# Opened when first asked for, never linked: the serial build, by the path it has where this is built, if any.
OPENBLAS_PATH ?= $(wildcard /usr/lib/$(shell $(CC) -print-multiarch)/openblas-serial/libopenblas.so.0)
ifneq (,$(OPENBLAS_PATH))
src/kernels/blas/library_blas.o: override CPPFLAGS += -DRF_OPENBLAS_PATH='"$(OPENBLAS_PATH)"'
endif

sql/roformer--1.0.sql: $(SQL_PARTS)
	cat $^ > $@

# The bundled models lie below the extension's directory, where load_model looks for relative paths.
MODEL_FILES = $(sort $(wildcard $(addprefix models/*/,config.json vocab.txt tokenizer_config.json \
	special_tokens_map.json model.safetensors modules.json 1_Pooling/config.json README.md)))

.PHONY: install-models uninstall-models
install: install-models
install-models:
	@for file in $(MODEL_FILES); do \
		install -D -m 644 "$$file" "$(DESTDIR)$(datadir)/extension/roformer/$$file" || exit 1; \
	done
uninstall: uninstall-models
uninstall-models:
	rm -rf '$(DESTDIR)$(datadir)/extension/roformer'

include test/programs.mk

-include $(OBJS:.o=.d) $(CLIENT_OBJS:.o=.d) $(FOREIGN_OBJS:.o=.d)

endif
