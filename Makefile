# batchinf: built with PGXS.  `make demo` and `make test` do all by themselves.
EXTENSION   = batchinf
EXTVERSION  = 0.3.0
MODULE_big  = batchinf

SRCS = $(sort $(wildcard src/*.c src/*/*.c src/*/*/*.c))
OBJS = $(SRCS:.c=.o)
# Money and the prices are a part of both, and files of their own here.
UPDATE      = $(EXTENSION)--0.2.0--$(EXTVERSION).sql
DATA_built  = sql/$(EXTENSION)--$(EXTVERSION).sql sql/built/$(UPDATE)
DATA        = $(filter-out $(DATA_built) sql/$(UPDATE),$(wildcard sql/$(EXTENSION)--*.sql))

PG_CPPFLAGS = -I$(srcdir)/src $(shell pkg-config --cflags libcurl json-c libcrypto) \
	-DBATCHINF_VERSION='"$(EXTVERSION)"'
PG_CFLAGS   = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
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

# PGXS has a rule of its own for check.
ifeq ($(MAKECMDGOALS),check)
.PHONY: check
check: ; bash test/run.sh check
else ifneq ($(PGXS),)
srcdir = .
include $(PGXS)
# Debian's PGXS tracks no header dependencies.
# The version is a flag.
$(OBJS) $(OBJS:.o=.bc): $(wildcard src/*.h src/*/*.h src/*/*/*.h) Makefile
endif

# $(call assemble,SCRIPT): the script with the money in its place, then the prices.
assemble = sed '/^-- sql.money\.sql$$/r sql/money.sql' $(1) | cat - sql/prices.sql
sql/$(EXTENSION)--$(EXTVERSION).sql: sql/$(EXTENSION).sql sql/money.sql sql/prices.sql
	$(call assemble,$<) >$@
sql/built/$(UPDATE): sql/$(UPDATE) sql/money.sql sql/prices.sql
	mkdir -p $(@D)
	$(call assemble,$<) >$@

.PHONY: deps demo test check reference prices majors bench fuzz sanitize cassert fault hostile
deps:
	bash test/deps.sh
demo: ; bash test/demo/demo.sh
test: ; bash test/run.sh
majors: ; bash test/run.sh suites postgresql-15 postgresql-17 postgresql-18
reference: ; bash doc/reference.sh >doc/reference.new && mv doc/reference.new doc/reference.md
prices: ; node sql/prices.mjs >sql/prices.new && mv sql/prices.new sql/prices.sql
bench: ; bash test/bench/bench.sh
fuzz: ; bash test/fuzz/run.sh $(SECONDS)
sanitize: ; bash test/sanitize.sh all
cassert: ; bash test/cassert.sh
fault: ; perl test/fault/crash.pl $(or $(SECONDS),600)
hostile:
	perl test/hostile/provider.pl $(or $(SECONDS),300)
	perl test/hostile/role.pl $(or $(SECONDS),300)
