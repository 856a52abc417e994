#!/usr/bin/env bats
load helper

@test "a command runs, and its status is ours" {
	start --rm -- true
	expect_status 0
	start --rm -- sh -c 'exit 7'
	expect_status 7
	start --rm -- sh -c 'kill -9 $$'
	expect_status 137
	[ -z "$(ls "$BOTTLES")" ]
}

@test "a program that is not there is 127, one that can't be run is 126" {
	start --rm -- no-such-program
	expect_status 127
	start --rm -- /etc/passwd
	expect_status 126
}

@test "a program that is not there did not start, for whoever only waits for that" {
	for words in "127 no-such-program" "126 /etc/passwd" "126 /usr"; do
		start --detach -- "${words#* }"
		expect_status "${words%% *}"
		[ -z "$out" ] && [[ $err == *"${words#* }"* ]]
		[ -z "$(ls "$BOTTLES")" ]
	done
	cat >"$PLACE/manager.py" <<-'PY'
		import os, socket, subprocess, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind(sys.argv[1])
		subprocess.run(["bottle", "start", "--yes", "--headless", "--rm", "--", sys.argv[2]],
		               env={**os.environ, "NOTIFY_SOCKET": sys.argv[1]}, stdin=subprocess.DEVNULL)
		s.setblocking(False)
		said = []
		try:
		    while True:
		        said.append(s.recv(100).decode())
		except BlockingIOError:
		    print(*said)
	PY
	run_split python3 "$PLACE/manager.py" "$PLACE/notify" no-such-program
	[[ $out != *READY* ]]
	run_split python3 "$PLACE/manager.py" "$PLACE/notify2" true
	[[ $out == *READY=1* ]]
	# One that is there is (control).
	detached sleep 1000
	run_split bottle exec "$slug" -- no-such-program
	expect_status 127
	[[ $err == *"no-such-program"* ]]
}

@test "every failure of bottle itself is 125, and acquires nothing" {
	start --backend nonsense -- true
	expect_status 125
	start --bundle docker -- true
	expect_status 125
	[[ $err == *"docker"* ]]
	start --workspace "$HOME" -- true
	expect_status 125
	[[ $err == *"home"* ]]
	run_split bottle start
	expect_status 125
	run_split bottle start --nonsense
	expect_status 125
	[ -z "$(ls "$BOTTLES" 2>/dev/null)" ]
}

@test "an ordinary user's bottle is the same" {
	as_ordinary_user
	start --rm -- sh -c 'id -u; cat a.txt; exit 3'
	expect_status 3
	[ "$out" = $'1000\nfirst' ]
}

@test "standard input, output and error are three streams" {
	printf 'in\n' >"$PLACE/input"
	bottle start --yes --rm -- sh -c 'cat; echo oops >&2' <"$PLACE/input" >"$PLACE/out" 2>"$PLACE/err"
	[ "$(cat "$PLACE/out")" = in ]
	grep -q oops "$PLACE/err"
}

@test "the workspace is a copy, and the bottle keeps its changes" {
	start -- sh -c 'cat a.txt; echo changed >a.txt; echo new >b.txt'
	expect_status 0
	[ "$out" = first ]
	[ "$(cat a.txt)" = first ] && [ ! -e b.txt ]
	slug=$(ls "$BOTTLES")
	[ "$(cat "$BOTTLES/$slug/workspace/upper/b.txt")" = new ]
	[[ $err == *"2 files changed"* ]]
	state_is stopped
}

@test "resume goes on where it stopped, and proves again" {
	start -- sh -c 'echo run >>notes; cat notes; cat ~/seen 2>/dev/null; echo kept >~/seen'
	slug=$(ls "$BOTTLES")
	run_split bottle resume "$slug"
	expect_status 0
	[ "$out" = $'run\nrun\nkept' ]
	[ "$(grep -c '"kind":"proof"' "$BOTTLES/$slug/audit.jsonl")" -eq 2 ]
	run_split bottle audit --verify "$slug"
	expect_status 0
}

@test "only what is removed at the end is not brought to the disk" {
	mounted='grep -q "^[^-]* /workspace .* - overlay .*volatile" /proc/self/mountinfo'
	start --rm -- sh -c "$mounted"
	expect_status 0
	start -- sh -c "$mounted"
	expect_status 1
}

@test "the dry run prints the plan and acquires nothing" {
	start --dry-run -- true
	expect_status 0
	[[ $out == *"backend: namespace"* ]]
	[ -z "$(ls "$BOTTLES" 2>/dev/null)" ]
}

@test "a pattern that does not compile is told before anything is launched, in the dry run too" {
	printf -- '---\negress: {routes: [{host: a.test, matches: [{paths: [{type: regex, value: "(" }]}]}]}\n---\n' >"$HOME/.bot-bottle/bottles/bad.md"
	for dry in --dry-run --rm; do
		start $dry --bottle bad -- true
		expect_status 125
		[[ $err == *"egress"*"routes[0]"* && $err != *proving* ]] || { echo "$err"; return 1; }
	done
	[ -z "$(ls "$BOTTLES" 2>/dev/null)" ]
	sed -i 's/"("/"(a|b)"/' "$HOME/.bot-bottle/bottles/bad.md"
	start --dry-run --bottle bad -- true
	expect_status 0
}

@test "extra_ca that holds no certificate is refused by name" {
	mkdir -p "$HOME/.config/bot-bottle"
	openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=x -keyout "$PLACE/key" -out "$PLACE/pem" 2>/dev/null
	openssl x509 -in "$PLACE/pem" -outform DER -out "$PLACE/der"
	for file in /etc/passwd "$PLACE/der"; do
		jq -n --arg f "$file" --arg good "$PLACE/pem" '{extra_ca: [$good, $f]}' >"$HOME/.config/bot-bottle/config.json"
		start --rm -- true
		expect_status 125
		[[ $err == *"extra_ca: $file holds no certificate"* ]] || { echo "$err"; return 1; }
	done
	jq -n --arg good "$PLACE/pem" '{extra_ca: [$good]}' >"$HOME/.config/bot-bottle/config.json"
	start --rm -- true
	expect_status 0
}

@test "the guest reaches nothing that is not routed, and the host can (control)" {
	# Unbuffered: a file's buffer keeps its word until the end.
	python3 -u -m http.server --bind 127.0.0.1 0 >"$PLACE/server" 2>&1 3>&- &
	server=$!
	wait_for grep -q 'port' "$PLACE/server"
	port=$(ss -tlnpH | sed -n "s/.*127.0.0.1:\([0-9]*\).*pid=$server,.*/\1/p")
	curl -sf "http://127.0.0.1:$port/" >/dev/null
	start --rm -- sh -c "curl -s --noproxy '*' -m 5 http://127.0.0.1:$port/; curl -s --noproxy '' -o /dev/null -w '%{http_code}' http://127.0.0.1:$port/ || true"
	kill "$server"
	[ "$out" = 403 ]
}

@test "a limit that is written and can't be enforced here is refused by name" {
	printf -- '---\nresources: {disk_gib: 3}\n---\n' >"$HOME/.bot-bottle/bottles/limited.md"
	start --bottle limited -- true
	expect_status 125
	[[ $err == *"resources.disk_gib"* ]]
	start --rm -- true
	[[ $err == *"not limited"* ]]
}

@test "doctor says of each limit what the summary says, and what is said to hold does" {
	start --rm -- true
	expect_status 0
	for name in cpus memory disk pids; do
		want=limited
		! grep -q "^$name  *not limited\$" <<<"$err" || want="not limited"
		said=$(bottle doctor --json | jq -r '.checks[] | select(.check == "limits") | .found')
		[[ ", $said, " == *", $name: $want, "* ]] || { echo "$name, $want: $said"; return 1; }
	done
	[[ $said == *"disk: not limited"* ]]
	[[ $said == *"pids: limited"* ]] || skip "pids are not limited here"
	printf -- '---\nresources: {pids: 20}\n---\n' >"$HOME/.bot-bottle/bottles/few.md"
	start --rm --bottle few -- sh -c 'for i in $(seq 40); do sleep 100 & done'
	[[ $err == *[Ff]ork* ]]
	start --rm --bottle few -- sh -c 'for i in $(seq 5); do true & done; wait; echo few'
	[ "$out" = few ] # control
	# A machine has all of them: they are its size.
	said=$(bottle doctor --json --backend smolmachines | jq -r '.checks[] | select(.check == "limits") | .found') || true
	[ "$said" = "cpus: limited, memory: limited, disk: limited, pids: limited" ]
}

@test "tools that hold credentials are refused, and others are not" {
	mkdir -p "$HOME/.ssh" "$HOME/agent/bin"
	printf -- '---\ntools: [%s]\n---\n' "$HOME/.ssh" >"$HOME/.bot-bottle/bottles/bad.md"
	printf -- '---\ntools: [%s]\n---\n' "$HOME/agent" >"$HOME/.bot-bottle/bottles/good.md"
	printf '#!/bin/sh\necho tool\n' >"$HOME/agent/bin/mytool"
	chmod +x "$HOME/agent/bin/mytool"
	start --bottle bad -- true
	expect_status 125
	[[ $err == *"tools"*"credentials"* ]]
	start --rm --bottle good -- mytool
	expect_status 0
	[ "$out" = tool ]
}

@test "a host that can't run the backend gets the exact line of the one that it can" {
	run_split bottle start --backend smolmachines --yes --label "my work" -- echo "it's"
	expect_status 125
	[[ $err == *"smolvm"* ]]
	line=$(grep -- '--backend namespace' "$PLACE/err" | grep '^  bottle start')
	[ "$line" = "  bottle start --backend namespace --yes --label 'my work' -- echo 'it'\\''s'" ]
	[ -z "$(ls "$BOTTLES" 2>/dev/null)" ]
	# What it says works.
	eval "run_split ${line#  }"
	expect_status 0
	[ "$out" = "it's" ]
}

@test "a name server that has an address on one link only is passed over, and the next is proved" {
	[ "$(id -u)" -eq 0 ] || skip "mounts a resolv.conf of its own"
	printf 'nameserver fe80::1%%eth0\nnameserver 192.0.2.53\n' >"$PLACE/resolv.conf"
	run_split unshare -m sh -c \
		'mount --bind "$0" /etc/resolv.conf && exec bottle start --yes -- true' "$PLACE/resolv.conf"
	expect_status 0
	checks=$(jq -r '.proof.checks[].check' "$BOTTLES"/*/record.json)
	[[ $checks == *"udp 192.0.2.53 port 53"* && $checks != *fe80* ]]
}

@test "a host without user namespaces is told so before anything is acquired" {
	run_split unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec bottle start --yes -- true'
	expect_status 125
	[[ $err == *"user.max_user_namespaces"* ]]
	[ -z "$(ls "$BOTTLES" 2>/dev/null)" ]
}

@test "a plan can be looked at on a host that can't run it" {
	start --dry-run --backend namespace -- true
	expect_status 0
	run_split unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec bottle start --dry-run -- true'
	expect_status 0
}

login() {
	mkdir -p "$HOME/.codex"
	cat >"$HOME/.codex/auth.json"
}
token() { printf 'e30.%s.c2ln' "$(printf '{"exp":%s}' "$1" | base64 -w0 | tr '+/' '-_' | tr -d =)"; }

@test "the dry run refuses a login that a launch would refuse, and shows the plan of a good one (control)" {
	printf -- '---\nagent_provider: {template: codex, forward_host_credentials: true}\n---\n' \
		>"$HOME/.bot-bottle/bottles/codex.md"
	refused() {
		start --dry-run --bottle codex -- true
		expect_status 125
		[ -z "$out" ] && [[ $err == *auth.json*"$1"* ]] || { echo "$out $err"; return 1; }
	}
	refused "is not there"
	login <<<'{"OPENAI_API_KEY":"sk-x"}'
	refused "an API key and no login"
	login <<<'not json'
	refused "not one JSON object"
	login <<<"{\"tokens\":{\"access_token\":\"$(token 1000000000)\"}}"
	refused "ran out at 2001"
	login <<<"{\"tokens\":{\"access_token\":\"$(token 4102444800)\"}}"
	start --dry-run --bottle codex -- true
	expect_status 0
	[[ $out == *"codex"* ]]
	[[ $out != *"$(token 4102444800)"* ]]
	[ -z "$(ls "$BOTTLES" 2>/dev/null)" ]
}

@test "the dry run refuses allow_private behind an upstream proxy, and names both" {
	printf -- '---\negress: {routes: [{host: near.example.com, allow_private: true}]}\n---\n' \
		>"$HOME/.bot-bottle/bottles/near.md"
	start --dry-run --bottle near -- true
	expect_status 0
	mkdir -p "$HOME/.config/bot-bottle"
	echo '{"upstream_proxy": "http://proxy.example.com:3128"}' >"$HOME/.config/bot-bottle/config.json"
	start --dry-run --bottle near -- true
	expect_status 125
	[[ $err == *near.example.com*allow_private*upstream_proxy* ]]
	start --dry-run -- true
	expect_status 0
}

@test "the dry run refuses a variable or a file that is not there, and asks nobody" {
	printf -- '---\nenv: {ONE: "${NOT_SET_ANYWHERE}"}\n---\n' >"$HOME/.bot-bottle/bottles/variable.md"
	printf -- '---\negress: {routes: [{host: a.example.com, auth: {scheme: bearer, token_ref: "file:/none/here"}}]}\n---\n' \
		>"$HOME/.bot-bottle/bottles/file.md"
	printf -- '---\nenv: {ONE: "?who"}\n---\n' >"$HOME/.bot-bottle/bottles/ask.md"
	start --dry-run --bottle variable -- true
	expect_status 125
	[[ $err == *NOT_SET_ANYWHERE* ]]
	start --dry-run --bottle file -- true
	expect_status 125
	[[ $err == *"/none/here"* ]]
	start --dry-run --bottle ask -- true
	expect_status 0
	NOT_SET_ANYWHERE=sesame-value start --dry-run --bottle variable -- true
	expect_status 0
	[[ $out != *sesame-value* ]]
}

@test "without a terminal nothing starts that nobody agreed to, and with --yes or --headless it does (control)" {
	run_split setsid -w bottle start -- true
	expect_status 125
	[[ $err == *"--yes"* ]]
	[ -z "$(ls "$BOTTLES" 2>/dev/null)" ]
	run_split setsid -w bottle start --json -- true
	[ "$(jq -r .error.kind <<<"$out")" = usage ]
	for how in --yes --headless; do
		run_split setsid -w bottle start --rm $how -- true
		expect_status 0
	done
}

@test "--headless asks nobody, for a secret neither; a plan says so" {
	printf -- '---\nenv: {TOKEN: "?your token", OTHER: "${OTHER_TOKEN}"}\n---\n' >"$HOME/.bot-bottle/bottles/ask.md"
	for word in --json --dry-run; do
		OTHER_TOKEN=there start --headless "$word" --bottle ask -- true
		expect_status 125
		[[ $out$err == *"env.TOKEN is asked for, and --headless asks nobody"* ]] || { echo "$err"; return 1; }
	done
	# Controls: a plan for a terminal, and one without such a name.
	OTHER_TOKEN=there bottle start --dry-run --bottle ask -- true </dev/null
	printf -- '---\nenv: {OTHER: "${OTHER_TOKEN}"}\n---\n' >"$HOME/.bot-bottle/bottles/ask.md"
	OTHER_TOKEN=there start --headless --rm --bottle ask -- true
	expect_status 0
}

@test "a prompt that nothing takes is refused" {
	start --prompt fix -- true
	expect_status 125
	[[ $err == *"--prompt is for an agent's command"* ]]
	printf -- '---\nagent_provider: {template: shell}\n---\n' >"$HOME/.bot-bottle/bottles/shell.md"
	run_split bottle start --yes --bottle shell --dry-run --prompt fix
	expect_status 125
	[[ $err == *"provider shell takes no --prompt"* ]] || { echo "$err"; return 1; }
	run_split bottle start --yes --bottle shell --dry-run --headless --prompt 'echo done' # control
	expect_status 0
}

@test "a plan needs no smolvm; a start does (control)" {
	printf -- '---\nworkspace: none\n---\n' >"$HOME/.bot-bottle/bottles/machine.md"
	PATH=$(dirname "$(command -v bottle)"):/usr/bin:/bin
	run_split bottle start --dry-run --backend smolmachines --bottle machine -- true
	expect_status 0
	run_split bottle start --yes --backend smolmachines --bottle machine -- true
	expect_status 125
}

@test "what a person must be told is told beside --json, too" {
	printf -- '---\nworkspace: mount\n---\n' >"$HOME/.bot-bottle/bottles/mounted.md"
	start --json --headless --bottle mounted -- sh -c 'echo x >.envrc'
	expect_status 0
	[ -z "$out" ] && [[ $err == *"obeyed by a tool of the host"*.envrc* ]] || { echo "$out; $err"; return 1; }
}
