# batchinf: built with PGXS.  `make demo` and `make test` do all by themselves.
EXTENSION   = batchinf
EXTVERSION  = 0.2.0
MODULE_big  = batchinf

SRCS = $(sort $(wildcard src/*.c src/*/*.c))
OBJS = $(SRCS:.c=.o)
DATA_built  = sql/$(EXTENSION)--$(EXTVERSION).sql
DATA        = $(filter-out $(DATA_built),$(wildcard sql/$(EXTENSION)--*.sql))

PG_CPPFLAGS = -I$(srcdir)/src $(shell pkg-config --cflags libcurl json-c libcrypto) -DBATCHINF_VERSION='"$(EXTVERSION)"'
PG_CFLAGS   = -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
SHLIB_LINK  = $(shell pkg-config --libs libcurl json-c libcrypto)

# test/fault/crash.pl makes a build of its own with this.
ifdef CRASH_POINTS
SRCS        += test/fault/crash.c
PG_CPPFLAGS += -DBI_CRASH_POINTS
endif

REGRESS      = $(notdir $(basename $(sort $(wildcard $(srcdir)/test/sql/*.sql))))
REGRESS_OPTS = --inputdir=$(srcdir)/test --outputdir=$(or $(REGRESS_OUT),test/output)
EXTRA_CLEAN  = test/output test/fuzz/build test/unit/*.o test/unit/*.bc test/unit/*.so

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)

ifneq ($(PGXS),)
srcdir = .
include $(PGXS)
# Debian's PGXS tracks no header dependencies.
$(OBJS) $(OBJS:.o=.bc): $(wildcard src/*.h src/*/*.h)
endif

sql/$(EXTENSION)--$(EXTVERSION).sql: sql/$(EXTENSION).sql
	cp $< $@

.PHONY: deps demo test majors bench fuzz sanitize cassert fault hostile
deps:
	bash test/deps.sh
demo: ; bash test/demo/demo.sh
test: ; bash test/run.sh
majors: ; bash test/run.sh suites postgresql-15 postgresql-17 postgresql-18
bench: ; bash test/bench/bench.sh
fuzz: ; bash test/fuzz/run.sh $(SECONDS)
sanitize: ; bash test/sanitize.sh all
cassert: ; bash test/cassert.sh
fault: ; perl test/fault/crash.pl $(or $(SECONDS),600)
hostile:
	perl test/hostile/provider.pl $(or $(SECONDS),300)
	perl test/hostile/role.pl $(or $(SECONDS),300)
