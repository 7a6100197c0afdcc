# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# config.md, Mounts, further: what a mount covers, what it is made of, and when. Its options are in oci_spec_config.bats.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() { oci_setup; }
teardown() { oci_teardown; }

refused() { fails_with 1 "$1" oci run --bundle "$BUNDLE" "$ID"; }
output_is() { [ "$(oci run --bundle "$BUNDLE" "$ID")" = "$1" ]; }

@test "config.md, Mounts: /proc/self/mountinfo has them in the listed order, whatever they are made of" {
	local want=(/tmp/a /home/b /tmp/c /home/d /tmp/e /home/f /tmp/g)
	mkdir "$SKEP_DIR/from"
	bundle '.root.readonly = false | .process.args = ["sh", "-c", "grep -o \" /\\(tmp\\|home\\)/. \" /proc/self/mountinfo"]'
	configure ".mounts += [{destination: \"/tmp/a\", type: \"tmpfs\", source: \"tmpfs\"}, {destination: \"/home/b\", source: \"$SKEP_DIR/from\", options: [\"bind\"]},
		{destination: \"/tmp/c\", type: \"tmpfs\", source: \"tmpfs\"}, {destination: \"/home/d\", source: \"$SKEP_DIR/from\", options: [\"rbind\", \"rslave\"]},
		{destination: \"/tmp/e\", type: \"tmpfs\", source: \"tmpfs\"}, {destination: \"/home/f\", source: \"$SKEP_DIR/from\", options: [\"bind\", \"shared\"]},
		{destination: \"/tmp/g\", type: \"tmpfs\", source: \"tmpfs\"}]"
	output_is "$(printf ' %s \n' "${want[@]}")"
}

@test "config.md, Mounts: a source in the root file system is what the entries before it have put there, in a user namespace, too" {
	local root=$BUNDLE/rootfs
	mkdir -p "$SKEP_DIR/one" "$SKEP_DIR/two"
	echo one >"$SKEP_DIR/one/name"
	echo two >"$SKEP_DIR/two/name"
	mkdir "$SKEP_DIR/one/in"
	bundle '.process.args = ["cat", "/home/name", "/home/in/name"]'
	configure ".mounts += [{destination: \"/tmp\", source: \"$SKEP_DIR/one\", options: [\"bind\"]}, {destination: \"/tmp/in\", source: \"$SKEP_DIR/two\", options: [\"bind\"]},
		{destination: \"/home\", source: \"$root/tmp\", options: [\"rbind\"]}]"
	output_is $'one\ntwo'
	with_userns
	output_is $'one\ntwo'
	# Without what is below it.
	configure '.mounts[-1].options = ["bind"] | .linux.namespaces -= [{type: "user"}] | del(.linux.uidMappings, .linux.gidMappings) | .process.args = ["ls", "/home/in"]'
	output_is ''
	# One that leaves it is the host's.
	configure ".mounts[-1].source = \"$root/../../two\" | .process.args = [\"cat\", \"/home/name\"]"
	output_is two
	oci_gone "$ID"
}

# The image's: it has no say in what of the host is mounted.
@test "config.md, Mounts: a source in the root file system that is a link leads to what has that name there" {
	bundle '.process.args = ["cat", "/home/name"]'
	mkdir -p "$SKEP_DIR/there" "$BUNDLE/rootfs$SKEP_DIR/there"
	echo host >"$SKEP_DIR/there/name"
	echo image >"$BUNDLE/rootfs$SKEP_DIR/there/name"
	ln -s "$SKEP_DIR/there" "$BUNDLE/rootfs/link"
	configure ".mounts += [{destination: \"/home\", source: \"$BUNDLE/rootfs/link\", options: [\"bind\"]}]"
	output_is image
	# However the root is written.
	configure '.root.path = "rootfs//"'
	output_is image
	configure ".mounts[-1].options += [\"src-nofollow\"]"
	refused 'mount /home'
}

@test "config.md, Mounts: no link of the image's makes another view of /proc, which is masked where it is" {
	bundle '.process.args = ["ls", "/home"]'
	ln -s /proc "$BUNDLE/rootfs/link"
	configure ".mounts += [{destination: \"/home\", source: \"$BUNDLE/rootfs/link\", options: [\"bind\"]}]"
	refused 'the root file system leads its source'
	oci delete --force "$ID"
	# Who says /proc means it.
	configure ".mounts[-1].source = \"$BUNDLE/rootfs/proc\""
	oci run --bundle "$BUNDLE" "$ID" | grep -qx self
}

@test "config.md, Mounts: a source that is a descriptor of the caller's" {
	bundle '.process.args = ["cat", "/home/name"]'
	mkdir "$SKEP_DIR/there"
	echo there >"$SKEP_DIR/there/name"
	configure '.mounts += [{destination: "/home", source: "/dev/fd/9", options: ["bind"]}]'
	[ "$(oci run --bundle "$BUNDLE" "$ID" 9<"$SKEP_DIR/there")" = there ]
}

@test "config.md, Mounts: a tmpfs has the mode of the directory that it covers, unless it says one" {
	bundle '.root.readonly = false | .process.args = ["stat", "-c", "%a", "/home", "/new/one", "/tmp"]
		| .mounts += ["/home", "/new/one"] | .mounts[-2:] |= map({destination: ., type: "tmpfs", source: "tmpfs"})
		| .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["size=4k", "mode=1500"]}]'
	ln -sf busybox "$BUNDLE/rootfs/bin/stat"
	chmod 710 "$BUNDLE/rootfs/home" "$BUNDLE/rootfs/tmp"
	output_is $'710\n1777\n1500'
	[ "$(stat -c %a "$BUNDLE/rootfs/new/one")" = 755 ]
	[ "$(stat -c %a "$BUNDLE/rootfs/tmp")" = 710 ]
}

@test "config.md, Mounts: a tmpfs that is read-only is so when all is made in it: /dev, and places for later ones" {
	bundle '.process.args = ["sh", "-c", "grep -c -E \" /(dev|tmp) [^ ]*ro,\" /proc/self/mountinfo; echo x >/dev/null && cat /tmp/in/name; echo x >/dev/new || echo x >/tmp/new"]'
	echo here >"$SKEP_DIR/name"
	configure ".mounts |= map(if .destination == \"/dev\" then .options += [\"ro\"] else . end)
		| .mounts += [{destination: \"/tmp\", type: \"tmpfs\", source: \"tmpfs\", options: [\"rro\"]}, {destination: \"/tmp/in\", source: \"$SKEP_DIR\", options: [\"bind\"]}]
		| .linux.devices = [{path: \"/dev/mine\", type: \"c\", major: 1, minor: 3}]"
	run ! oci run --bundle "$BUNDLE" "$ID"
	[[ ${lines[0]} == 2 && ${lines[1]} == here && ${lines[2]} == *'Read-only file system' && ${lines[3]} == *'Read-only file system' ]]
	with_userns
	run ! oci run --bundle "$BUNDLE" "$ID"
	[[ ${lines[0]} == 2 && ${lines[1]} == here && ${lines[2]} == *'Read-only file system' && ${lines[3]} == *'Read-only file system' ]]
	oci_gone "$ID"
}

@test "config.md, Mounts: what is bound from a tmpfs that is read-only is so, too; one that a later entry makes writable stays it" {
	bundle '.root.readonly = false | .process.args = ["sh", "-c", "for f in /tmp /b /all/in /rw /w; do echo x >$f/new; done; exit 0"] | .linux.devices = [{path: "/tmp/mine", type: "p"}]'
	configure ".mounts += [{destination: \"/tmp\", type: \"tmpfs\", source: \"tmpfs\", options: [\"ro\"]}, {destination: \"/tmp/in\", type: \"tmpfs\", source: \"tmpfs\", options: [\"ro\"]},
		{destination: \"/b\", source: \"$BUNDLE/rootfs/tmp\", options: [\"bind\"]}, {destination: \"/all\", source: \"$BUNDLE/rootfs/tmp\", options: [\"rbind\"]},
		{destination: \"/rw\", source: \"$BUNDLE/rootfs/tmp\", options: [\"bind\", \"rw\"]},
		{destination: \"/w\", type: \"tmpfs\", source: \"tmpfs\", options: [\"ro\"]}, {destination: \"/w\", options: [\"remount\", \"rw\"]}, {destination: \"/w/in\", type: \"tmpfs\", source: \"tmpfs\"}]"
	run -0 oci run --bundle "$BUNDLE" "$ID"
	[ "$(grep -o "create [^:]*: Read-only" <<<"$output" | tr '\n' ,)" = "create /tmp/new: Read-only,create /b/new: Read-only,create /all/in/new: Read-only," ]
	with_userns
	run -0 oci run --bundle "$BUNDLE" "$ID"
	[ "$(grep -o "create [^:]*: Read-only" <<<"$output" | tr '\n' ,)" = "create /tmp/new: Read-only,create /b/new: Read-only,create /all/in/new: Read-only," ]
	oci_gone "$ID"
}

@test "config.md, Mounts: on a link that leads nowhere: what it names is made, in the root file system" {
	local root=$BUNDLE/rootfs
	echo here >"$SKEP_DIR/name"
	bundle '.root.readonly = false | .process.args = ["cat", "/run/a/b/name"]'
	# A link as the last name, one on the way, relative ones, to a file and to a directory.
	ln -s /run/a/b/name "$root/etc/file"
	configure ".mounts += [{destination: \"/etc/file\", source: \"$SKEP_DIR/name\", options: [\"bind\"]}]"
	output_is here
	[ -f "$root/run/a/b/name" ]
	rm -r "$root/run"
	ln -s ../run/./a "$root/etc/dir"
	configure ".mounts[-1] |= (.destination = \"/etc/dir/b\" | .source = \"$SKEP_DIR\")"
	output_is here
	rm -r "$root/run"
	# Those that go in a circle lead to an error.
	ln -s two "$root/etc/one"
	ln -s one "$root/etc/two"
	configure '.mounts[-1].destination = "/etc/one"'
	refused 'Too many levels of symbolic links'
	ln -sf "$SKEP_DIR/nothing/of/the/host" "$root/etc/one"
	configure '.process.args = ["cat", "/etc/one/name"]'
	output_is here
	[ ! -e "$SKEP_DIR/nothing" ]
	[ -d "$root$SKEP_DIR/nothing/of/the/host" ]
}

@test "config.md, Mounts: what is typed wrong is told with what would be right" {
	bundle '.mounts += [{destination: "/home", source: "/etc", type: "none", options: ["bnd"]}]'
	refused 'a bind mount has bind or rbind among its options'
	configure '.mounts[-1] = {destination: "/home", type: "nosuchfs"}'
	refused 'this kernel has no nosuchfs'
	configure 'del(.mounts[-1]) | .linux.rootfsPropagation = "sharde"'
	refused 'it is shared, slave, private or unbindable'
	oci_gone "$ID"
}
