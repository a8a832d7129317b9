# Test programs of the engine, without a server: cmocka programs test/LEVEL/test_SUBJECT.c and fuzz targets
# test/fuzz/fuzz_SUBJECT.c, linked with the objects that the module is made of, and once more with
# everything compiled under AddressSanitizer and UndefinedBehaviorSanitizer. Included by the Makefile.
#
#   make programs         build/test/LEVEL/test_SUBJECT
#   make programs-asan    build/asan/test/LEVEL/test_SUBJECT, build/asan/test/fuzz/fuzz_SUBJECT

TEST_LEVELS = unit kernel model golden
TEST_SRCS = $(sort $(wildcard $(TEST_LEVELS:%=test/%/test_*.c)))
# What several programs of a level share.
TEST_SHARED_SRCS = $(sort $(filter-out $(TEST_SRCS),$(wildcard $(TEST_LEVELS:%=test/%/*.c))))
FUZZ_SRCS = $(sort $(wildcard test/fuzz/fuzz_*.c))
FUZZ_SHARED_SRCS = $(sort $(filter-out $(FUZZ_SRCS),$(wildcard test/fuzz/*.c)))

# What of the client program needs nothing of PostgreSQL.
CLIENT_PLAIN_SRCS = src/client/import_options.c src/client/import_progress.c

TEST_CFLAGS = -g -std=gnu11 -Wall -Wextra -Wno-unused-parameter -D_GNU_SOURCE -Iinclude -Isrc/client $(TEST_LEVELS:%=-Itest/%) -Itest/fuzz $(HDF5_CPPFLAGS) -MMD -MP
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ASAN_CFLAGS = $(ENGINE_CFLAGS) -O1 $(TEST_CFLAGS) $(SANITIZE)

TEST_SHARED_OBJS = $(TEST_SHARED_SRCS:%.c=build/%.o)
ASAN_TEST_SHARED_OBJS = $(TEST_SHARED_SRCS:%.c=build/asan/%.o)
ASAN_FUZZ_SHARED_OBJS = $(FUZZ_SHARED_SRCS:%.c=build/asan/%.o)
TEST_PROGRAMS = $(TEST_SRCS:%.c=build/%)
ASAN_TEST_PROGRAMS = $(TEST_SRCS:%.c=build/asan/%)
ASAN_FUZZ_PROGRAMS = $(FUZZ_SRCS:%.c=build/asan/%)

.PHONY: programs programs-asan
programs: $(TEST_PROGRAMS)
programs-asan: $(ASAN_TEST_PROGRAMS) $(ASAN_FUZZ_PROGRAMS)

build/engine.a: $(ENGINE_OBJS)
	@mkdir -p $(@D)
	rm -f $@ && ar rcs $@ $^
build/asan/engine.a: $(ENGINE_SRCS:%.c=build/asan/%.o)
	rm -f $@ && ar rcs $@ $^
build/client.a: $(CLIENT_PLAIN_SRCS:.c=.o)
	@mkdir -p $(@D)
	rm -f $@ && ar rcs $@ $^
build/asan/client.a: $(CLIENT_PLAIN_SRCS:%.c=build/asan/%.o)
	rm -f $@ && ar rcs $@ $^

build/foreign.a: $(FOREIGN_OBJS)
	@mkdir -p $(@D)
	rm -f $@ && ar rcs $@ $^
build/asan/foreign.a: $(FOREIGN_SRCS:%.c=build/asan/%.o)
	rm -f $@ && ar rcs $@ $^

build/test/%.o: test/%.c
	@mkdir -p $(@D)
	gcc -O2 $(TEST_CFLAGS) -c -o $@ $<
build/asan/%.o: %.c
	@mkdir -p $(@D)
	gcc $(ASAN_CFLAGS) -c -o $@ $<

$(TEST_PROGRAMS): build/%: build/%.o $(TEST_SHARED_OBJS) build/client.a build/foreign.a build/engine.a
	gcc -o $@ $^ -lcmocka $(FOREIGN_LIBS) $(ENGINE_LIBS)
$(ASAN_TEST_PROGRAMS): build/asan/%: build/asan/%.o $(ASAN_TEST_SHARED_OBJS) build/asan/client.a build/asan/foreign.a build/asan/engine.a
	gcc $(SANITIZE) -o $@ $^ -lcmocka $(FOREIGN_LIBS) $(ENGINE_LIBS)
$(ASAN_FUZZ_PROGRAMS): build/asan/%: build/asan/%.o $(ASAN_FUZZ_SHARED_OBJS) build/asan/foreign.a build/asan/engine.a
	gcc $(SANITIZE) -o $@ $^ $(FOREIGN_LIBS) $(ENGINE_LIBS)

.SECONDARY:

-include $(wildcard build/test/*/*.d build/asan/*/*/*.d build/asan/*/*/*/*.d)
