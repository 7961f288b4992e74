# pg_ratchet: a job scheduler inside PostgreSQL
#
#   make demo        install what is missing, build, show a job on a private server
#   make check       install what is missing, run every test
#   make quick       the same without those that take long
#   make client      the program ratchet, which sends messages; make install-client puts it beside psql
#
# and, as every extension that is built with PGXS (PG_CONFIG=... chooses the server):
#
#   make && make install && make installcheck

EXTENSION := pg_ratchet

# The directory of this file: differs from the current one in a build outside of the source tree
# (make -f .../Makefile in an empty directory).
top := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))

# ---- Targets for people: each is a script, none needs PostgreSQL to be installed already --------

people_targets := demo demo-stop setup check quick lint format tidy unit fuzz regress isolation tap bench soak matrix deb dist \
	sanitize check-cassert valgrind client install-client

ifneq ($(filter $(people_targets),$(MAKECMDGOALS)),)

.PHONY: $(MAKECMDGOALS)

# PGXS has a target "check" of its own, which only says that it is not supported. So its rules are
# read for its own targets only.
ifneq ($(filter-out $(people_targets),$(MAKECMDGOALS)),)
$(filter-out $(people_targets),$(MAKECMDGOALS)):
	+@$(MAKE) -f $(firstword $(MAKEFILE_LIST)) $@
endif

demo:
	@$(top)/script/demo
demo-stop:
	@$(top)/script/demo stop
setup:
	@$(top)/script/setup check
check:
	@$(top)/script/check
quick lint unit regress isolation tap:
	@$(top)/script/check $@
format:
	@$(top)/script/format
tidy:
	@$(top)/script/tidy
client:
	@$(top)/script/client
install-client:
	@$(top)/script/client install
matrix:
	@$(top)/script/matrix
fuzz:
	@$(top)/script/fuzz
deb:
	@$(top)/script/deb
dist:
	@$(top)/script/dist
sanitize:
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-60} $(top)/script/check sanitize fuzz
check-cassert:
	@$(top)/script/cassert
valgrind:
	@$(top)/script/valgrind
soak:
	@$(top)/test/soak/$(or $(PART),chaos)
bench:
	@$(top)/bench/run

else

# ---- The extension ------------------------------------------------------------------------------

version := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(top)/$(EXTENSION).control)

MODULE_big := $(EXTENSION)
sources := $(sort $(patsubst $(top)/%,%,$(wildcard $(top)/src/*/*.cpp)))
OBJS := $(sources:.cpp=.o)

# The install script is put together from its parts in the order of their names.
install_script := $(EXTENSION)--$(version).sql
install_parts := $(sort $(wildcard $(top)/sql/install/*.sql))
options := $(top)/src/api/option.cpp

# Upgrade scripts get what each of them needs at its beginning and at its end.
upgrade_parts := $(sort $(wildcard $(top)/sql/upgrade/$(EXTENSION)--*.sql))
upgrade_scripts := $(notdir $(upgrade_parts))
DATA_built := $(install_script) $(upgrade_scripts)

# make WERROR= builds with warnings, for compilers newer than the ones that we know.
WERROR ?= -Werror

# The server's headers are not ours to mend: as system headers they cannot raise a warning.
PG_CPPFLAGS = -I$(top)/src -isystem $(includedir_server) $(ICAL_CFLAGS)

# libical, for iCalendar rules. Where pkg-config does not know it, the compiler may.
ICAL_CFLAGS ?= $(shell pkg-config --cflags-only-I libical 2>/dev/null)
ICAL_LIBS ?= $(shell pkg-config --libs-only-L libical 2>/dev/null) -lical

# -Wno-register: headers of PostgreSQL 15 still say "register", which C++17 does not know.
# -MMD -MP: most servers are built without dependency tracking, so PGXS does none either.
# Macros of the server use what clang calls an extension of GNU.
clang_flags = $(if $(findstring clang,$(CXX)),-Wno-gnu-statement-expression)

# From PostgreSQL 16 on, PGXS hands it on: 15 is to find the same.
gcc_flags = $(if $(findstring clang,$(CXX)),,-Wshadow=compatible-local)

# Never optimized across files at the link, whatever the server's own flags say (those of Ubuntu do): g++ 13 then drops
# the copy of a row's place that ScanJobStates() hands to its visitor, and the scheduler reads at a place that is none.
# Nor would the functions that catch the server's longjmp be sure to stay what they are, see pg/guard.cpp.
lto_flags = $(if $(findstring -flto,$(CXXFLAGS)),-fno-lto)

PG_CXXFLAGS = -std=c++20 -Wall -Wextra -Wpedantic -Wno-register $(DEBUG_INFO) $(WERROR) \
	-fvisibility-inlines-hidden -fno-semantic-interposition -MMD -MP $(clang_flags) $(gcc_flags) $(lto_flags)

# PGXS hands on warning options of the compiler that built the server.
ifneq ($(findstring clang,$(CXX)),)
PG_CXXFLAGS += -Wno-unknown-warning-option
endif

# The version script hides all but the server's entry points: modules are loaded with RTLD_GLOBAL,
# where weak C++ symbols of one extension would replace those of another. -fvisibility=hidden is no
# substitute: PGDLLEXPORT is empty on PostgreSQL 15, so that not even Pg_magic_func would be left.
# -lstdc++, because PGXS links with the C compiler.
SHLIB_LINK = -Wl,--version-script=$(top)/src/exports.map $(ICAL_LIBS) -lstdc++

# Nothing here profits from inlining into queries, and bitcode would need a clang of the right age.
override with_llvm := no

# ---- make installcheck: the tests against an installed server that preloads the library ---------

REGRESS := $(sort $(patsubst $(top)/sql/%.sql,%,$(wildcard $(top)/sql/*.sql)))
REGRESS_OPTS = --inputdir=$(top) --load-extension=$(EXTENSION)

ISOLATION := $(sort $(patsubst $(top)/test/isolation/specs/%.spec,%, \
	$(wildcard $(top)/test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=$(top)/test/isolation --load-extension=$(EXTENSION)

# The tests with several servers need a private copy of the installation: script/check makes one.
TAP_TESTS ?= 1
PROVE_TESTS ?= $(sort $(wildcard $(top)/test/tap/*.pl))

EXTRA_CLEAN = $(OBJS:.o=.d)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq ($(PGXS),)
$(error pg_config of PostgreSQL was not found: install the server's development files (Debian: \
postgresql-server-dev-15), or name it: make PG_CONFIG=/path/to/pg_config)
endif
include $(PGXS)

# The database that script/check has, too: its name is in a message.
CONTRIB_TESTDB = regression

PG_PROVE_FLAGS += -I $(top)/test/tap/lib

ifneq ($(filter 9.% 10 11 12 13 14,$(MAJORVERSION)),)
$(error PostgreSQL $(MAJORVERSION) is not supported: pg_ratchet needs 15 or later)
endif

ifeq ($(filter clean distclean uninstall installcheck,$(MAKECMDGOALS)),)
ifeq ($(shell command -v $(firstword $(CXX)) 2>/dev/null),)
$(error there is no compiler $(firstword $(CXX)): install it (Debian: g++), or name another one: make CXX=clang++)
endif
ifeq ($(shell printf '\043include <libical/ical.h>\n' | $(CXX) $(ICAL_CFLAGS) -E -x c++ - >/dev/null 2>&1 && echo yes),)
$(error libical was not found: install its development files (Debian: libical-dev), or say where \
it is: make ICAL_CFLAGS=-I/path/to/include ICAL_LIBS="-L/path/to/lib -lical")
endif
endif

$(shlib): $(top)/src/exports.map

# A build outside of the source tree must not take up what a build inside of it has left there, as it
# would with a general VPATH. Nor with one that a packager's make gives, by which PGXS finds the control file.
override srcdir := $(top)
override VPATH :=
vpath %.control $(top)

object_dirs := $(sort $(dir $(OBJS)))
$(OBJS): %.o: $(top)/%.cpp | $(object_dirs)
	$(COMPILE.cpp) $(OUTPUT_OPTION) $<

$(object_dirs):
	mkdir -p $@

$(install_script): $(install_parts) $(options) $(top)/sql/options.awk $(top)/$(EXTENSION).control
	awk -f $(top)/sql/options.awk $(options) $(install_parts) > $@.parts
	{ printf '%s\n' '\echo Use "CREATE EXTENSION $(EXTENSION)" to load this file. \quit'; \
	  sed 's/@VERSION@/$(version)/' $@.parts; } > $@.new
	rm $@.parts
	mv $@.new $@

$(upgrade_scripts): %.sql: $(top)/sql/upgrade/%.sql
	{ printf '%s\n' '\echo Use "ALTER EXTENSION $(EXTENSION) UPDATE" to load this file. \quit' \
	    "SELECT ratchet._require_library('$(lastword $(subst --, ,$*))');"; \
	  cat $<; \
	  printf '%s\n' 'SELECT ratchet._extension_updated();'; } > $@.new
	mv $@.new $@

# The library knows of which version it is.
src/api/module.o src/catalog/installation.o: override CPPFLAGS += -DRATCHET_VERSION='"$(version)"'
src/api/module.o src/catalog/installation.o: $(top)/$(EXTENSION).control

-include $(OBJS:.o=.d)

endif
