#!/usr/bin/env bats
bats_require_minimum_version 1.5.0
# bottle policy test: what the gateway would decide, without a gateway.

setup() {
	bottle=${BUILD:-$BATS_TEST_DIRNAME/../../build}/bin/bottle
	export HOME=$BATS_TEST_TMPDIR XDG_CONFIG_HOME= XDG_STATE_HOME=
	mkdir -p "$HOME/.bot-bottle/bottles"
	cd "$HOME" || exit 1
	cat >"$HOME/.bot-bottle/bottles/dev.md" <<-'END'
		---
		egress:
		  routes:
		    - host: api.example.com
		      matches:
		        - paths: [{type: exact, value: /health}, {type: prefix, value: /v1}]
		          methods: [GET, POST]
		        - headers: [{name: x-kind, value: ok}]
		    - host: "*.cdn.example.com"
		      wildcard: true
		    - host: open.example.com
		      plain: true
		---
	END
	cat >"$HOME/.bot-bottle/bottles/narrow.md" <<-'END'
		---
		egress:
		  routes:
		    - host: open.example.com
		      matches: [{methods: [GET]}]
		---
	END
}

decide() { run --separate-stderr "$bottle" policy test --json "$@"; }

@test "an allowed request names its route, rule and path" {
	decide --bottle dev GET 'https://API.example.com/v1/%6dodels?x=1'
	[ "$status" -eq 0 ]
	[ "$(jq -r .verdict <<<"$output")" = allowed ]
	[ "$(jq -r .rule <<<"$output")" = 'routes[0].matches[0].paths[1] prefix /v1' ]
	[ "$(jq -r .path <<<"$output")" = /v1/models ]
}

@test "a refused request says why, with status 1" {
	while read -r reason method url; do
		decide --bottle dev "$method" "$url"
		echo "$method $url: $output"
		[ "$status" -eq 1 ]
		[ "$(jq -r .verdict <<<"$output")" = refused ]
		[ "$(jq -r .reason <<<"$output")" = "$reason" ]
	done <<-'END'
		no-match DELETE https://api.example.com/v1
		no-match GET https://api.example.com/v10
		host-not-routed GET https://evil.example/
		port-not-routed GET https://api.example.com:8443/v1
		port-not-routed GET http://api.example.com/v1
		address-not-routed GET https://127.0.0.1/
		address-not-routed GET https://[::ffff:127.0.0.1]/
		name-not-qualified GET https://intranet/
		host-not-routed GET https://a.b.cdn.example.com/
		wildcard-label GET https://deadbeef0123456789deadbeef.cdn.example.com/
		git-push GET https://open.example.com/r.git/info/refs?service=git-receive-pack
		dns-over-https GET https://open.example.com/dns-query?dns=AAAA
	END
}

@test "a request that the gateway would not understand is a usage error" {
	for url in https://api.example.com/v1/%2e%2e/x https://0x7f.1/ https://u@api.example.com/ ftp://api.example.com/ \
		https://api.example.com:0/; do
		run --separate-stderr "$bottle" policy test --bottle dev GET "$url"
		echo "$url: $stderr"
		[ "$status" -eq 2 ]
		[ -z "$output" ]
	done
	run --separate-stderr "$bottle" policy test --bottle dev GET https://api.example.com/v1/%2e%2e/x
	[[ $stderr == *path-dots* ]]
}

@test "headers count where a route asks for them" {
	decide --bottle dev DELETE https://api.example.com/x
	[ "$status" -eq 1 ]
	decide --bottle dev --header 'X-Kind: ok' DELETE https://api.example.com/x
	[ "$status" -eq 0 ]
	[ "$(jq -r .rule <<<"$output")" = 'routes[0].matches[1]' ]
}

@test "a later bottle's route replaces an earlier one's" {
	decide --bottle dev POST http://open.example.com/
	[ "$status" -eq 0 ]
	decide --bottle dev --bottle narrow POST https://open.example.com/
	[ "$status" -eq 1 ]
	[ "$(jq -r .reason <<<"$output")" = no-match ]
}

@test "without a bottle there is nothing to ask" {
	run --separate-stderr "$bottle" policy test GET https://api.example.com/
	[ "$status" -eq 2 ]
	[[ $stderr == *--bottle* ]]
}

@test "what could not be judged is told from what is refused, by its status" {
	run --separate-stderr "$bottle" policy test -b absent GET https://api.example.com/
	[ "$status" -eq 2 ]
	[[ $stderr == *absent* ]]
	printf -- '---\negress: {routes: 7}\n---\n' >"$HOME/.bot-bottle/bottles/broken.md"
	decide --bottle broken GET https://api.example.com/
	[ "$status" -eq 2 ]
	[ "$(jq -r .error.kind <<<"$output")" = input ]
}
