# Words that the test scripts share: Python, put in front of each.
''
  import json

  # A user who lingers is given a runtime directory, a little after the boot; su gives none.
  def up(machine, *users):
      machine.wait_for_unit("multi-user.target")
      for user in users or ["alice"]:
          machine.wait_until_succeeds(f"test -d /run/user/$(id -u {user})")

  def as_alice(command):
      quoted = command.replace("'", "'\\'''")
      return f"su -l alice -c 'XDG_RUNTIME_DIR=/run/user/$(id -u) {quoted}'"

  def in_bottle(command, options=""):
      return as_alice(f"bottle start --headless --yes --rm --bottle probe {options} -- {command}")

  def started(machine, options="", who=as_alice):
      command = f"bottle start --headless --yes --detach --json --bottle probe {options} -- sleep infinity"
      return json.loads(machine.succeed(who(command)))["slug"]

  def failed_with(machine, command, not_these, words):
      status, output = machine.execute(f"{command} 2>&1")
      assert status not in not_these, f"{command}: status {status}: {output}"
      for word in words:
          assert word in output, f"{command}: no word of {word}: {output}"

  def refused(machine, command, *words):
      failed_with(machine, command, (0, 124, 137), words)

  # The command ran in there and failed: a bottle that does not start, or a program that is not
  # there, shows nothing.
  def fails_inside(machine, command, *words):
      failed_with(machine, command, (0, 124, 125, 126, 127, 137), words)
''
