# Words that the test scripts share: Python, put in front of each.
''
  import json

  def as_alice(command):
      quoted = command.replace("'", "'\\'''")
      return f"su -l alice -c 'XDG_RUNTIME_DIR=/run/user/$(id -u) {quoted}'"

  def in_bottle(command, options=""):
      return as_alice(f"bottle start --headless --yes --rm --bottle probe {options} -- {command}")

  def refused(machine, command, *words):
      status, output = machine.execute(f"{command} 2>&1")
      assert status not in (0, 124, 137), f"{command}: status {status}: {output}"
      for word in words:
          assert word in output, f"{command}: no word of {word}: {output}"
''
