"""The lab's estate is what a technician finds: a factory Debian everywhere, and Ansible on the centre alone."""

from tests.lab.estate import Estate, recap

PLAYBOOK = """\
- name: Try
  hosts: all
  become: true
  tasks:
    - name: Install
      ansible.builtin.apt:
        name: curl
        update_cache: true
    - name: Write
      ansible.builtin.copy:
        content: "{{ inventory_hostname }}"
        dest: /root/note
        mode: "0600"
"""


def test_ansible_manages_a_factory_host(estate: Estate) -> None:
    """An agent has nothing of ours; packages come from the site's mirror, a second run changes nothing."""
    host = estate.agent("a8")
    assert host.run(["sh", "-c", "command -v santong-agent; ls -d /code /site /opt/santong"], check=False).stdout == ""
    estate.centre.write("/root/try.yml", PLAYBOOK)
    first = estate.play("/root/try.yml", "-i", "a8,")
    assert first.recap["a8"]["changed"] == 2, first.output
    assert first.tasks("changed") == ["Install", "Write"]
    assert (host.disk / "root/note").read_text(encoding="utf-8") == "a8"
    second = estate.play("/root/try.yml", "-i", "a8,")
    assert (second.changed, second.failed) == (0, {}), second.output


def test_a_host_without_power_is_said_to_be_unreachable(estate: Estate) -> None:
    """A play on a host that is off fails, and its recap says which."""
    host = estate.agent("a9")
    host.kill()
    estate.centre.write("/root/try.yml", PLAYBOOK)
    play = estate.play("/root/try.yml", "-i", "a9,", "--timeout", "3", check=False)
    assert play.status
    assert play.failed["a9"]["unreachable"] == 1


def test_a_recap_is_read() -> None:
    """Numbers of each host come out of Ansible's last lines."""
    text = "PLAY RECAP ***\na8                         : ok=3    changed=2    unreachable=0    failed=1\n"
    assert recap(text) == {"a8": {"ok": 3, "changed": 2, "unreachable": 0, "failed": 1}}
