#!/usr/bin/env bats
# Two parsers, one reading: see against-node.js.

@test "what our parser accepts, Node's HTTP parser reads the same way" {
	command -v node >/dev/null || skip "node is not installed: nothing to compare with"
	run node "$BATS_TEST_DIRNAME/against-node.js" "$BUILD/tests/diff/requests" "$BATS_TEST_DIRNAME/../fuzz/corpus/http_head"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"differently: 0"* ]]
}

@test "control: a parser that reads one byte otherwise is found out" {
	command -v node >/dev/null || skip "node is not installed: nothing to compare with"
	export REAL=$BUILD/tests/diff/requests
	liar=$BATS_TEST_TMPDIR/liar
	printf '#!/bin/sh\n"$REAL" | sed s/474554/484554/\n' >"$liar"
	chmod +x "$liar"
	mkdir "$BATS_TEST_TMPDIR/corpus"
	cp "$BATS_TEST_DIRNAME/../fuzz/corpus/http_head/get" "$BATS_TEST_TMPDIR/corpus"
	run node "$BATS_TEST_DIRNAME/against-node.js" "$liar" "$BATS_TEST_TMPDIR/corpus"
	echo "$output"
	[ "$status" -eq 1 ]
	[[ "$output" == *"not ok get: request 0: method HET, Node GET"* ]]
}
