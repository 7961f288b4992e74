# Puts the options of jobs, which src/api/option.cpp declares, into the install script: as arguments that
# may be left out, where "@OPTIONS@" is all of them, "@OPTIONS OF ALL JOBS@" without those of batch jobs.
#
#   awk -f sql/options.awk src/api/option.cpp sql/install/*.sql

FILENAME ~ /option\.cpp$/ {
    if ($0 ~ /^    \{"[a-z_]+", "[a-z0-9]+(\[\])?", k(All|Batch)Jobs,/) {
        split($0, part, "\"")
        argument = sprintf("%-19s %-11s DEFAULT NULL", part[2], part[4])
        options = options (options == "" ? "" : ",\n    ") argument
        if ($0 ~ /kAllJobs,/)
            options_of_all = options
    }
    next
}

options == "" {
    print "src/api/option.cpp declares no options that sql/options.awk can read" >"/dev/stderr"
    exit 1
}

{
    at = index($0, "@OPTIONS@")
    if (at) {
        print substr($0, 1, at - 1) options substr($0, at + length("@OPTIONS@"))
        next
    }
    at = index($0, "@OPTIONS OF ALL JOBS@")
    if (at) {
        print substr($0, 1, at - 1) options_of_all substr($0, at + length("@OPTIONS OF ALL JOBS@"))
        next
    }
    print
}
