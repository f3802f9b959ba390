# SPDX-License-Identifier: MIT
# fish: complete commands and options of proflite.  They are asked of
# `proflite help`, which prints them from the tables they are parsed by.

function __proflite_complete
	set -l words (commandline -opc)
	set -l word (commandline -ct)

	if test (count $words) -eq 1; or test "$words[2]" = help
		$words[1] help 2>/dev/null |
			sed -n '/^commands:/,/^$/s/^  \([a-z]*\)  *\(.*\)/\1\t\2/p'
		test (count $words) -eq 1
		or printf 'options\tthose of PROFLITE_OPTIONS\n'
	else if string match -q -- '-*' $word
		$words[1] help $words[2] 2>/dev/null |
			sed -n 's/^  \(-., \|    \)\(--[a-z-]*\)[^ ]* *\(.*\)/\2\t\3/p'
	end
end

function __proflite_wants_no_file
	set -l words (commandline -opc)

	test (count $words) -eq 1; or test "$words[2]" = help
end

complete -c proflite -n __proflite_wants_no_file -f
complete -c proflite -a '(__proflite_complete)'
