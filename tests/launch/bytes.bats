#!/usr/bin/env bats
# Bytes that are no text, where a record or the audit log would hold them.
load helper

audit_is_whole() {
	run_split bottle audit --verify "$slug"
	expect_status 0
}

@test "a program, or a file to copy, whose name is not UTF-8 leaves the audit log whole" {
	detached sleep 1000
	run_split bottle exec "$slug" -- $'no-\xff-program'
	expect_status 127
	run_split bottle exec "$slug" -- sh -c 'printf x >/workspace/"$(printf "caf\351")"'
	expect_status 0
	run_split bottle cp "$slug:"$'caf\xe9' "$PLACE/out-file"
	expect_status 0
	audit_is_whole
	grep -qF 'no-\\xff-program' "$BOTTLES/$slug/audit.jsonl"
	grep -qF 'caf\\xe9' "$BOTTLES/$slug/audit.jsonl"
	run_split bottle stop "$slug"
	expect_status 0
	audit_is_whole
	run_split bottle resume --detach "$slug"
	expect_status 0
	audit_is_whole
}

@test "an argument or a workspace that is not UTF-8 is refused by name, in a dry run too, and letters are fine (control)" {
	mkdir "$PLACE/"$'caf\xe9' "$PLACE/café"
	for dry in --dry-run --rm; do
		start $dry -- echo $'\xff'
		expect_status 125
		[[ $err == *command*'\xff'*UTF-8* ]]
		start $dry --workspace "$PLACE/"$'caf\xe9' -- true
		expect_status 125
		[[ $err == *workspace*'caf\xe9'*UTF-8* ]]
		start $dry --label $'caf\xe9' -- true
		expect_status 125
		[ -z "$(ls "$BOTTLES" 2>/dev/null)" ]
	done
	start --workspace "$PLACE/café" -- echo 'ü'
	expect_status 0
	[ "$out" = 'ü' ]
	slug=$(ls "$BOTTLES")
	audit_is_whole
}
