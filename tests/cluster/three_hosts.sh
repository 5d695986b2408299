#!/bin/sh
# Three hosts on one machine: network namespaces with an address each, joined by a bridge.
#
#   three_hosts.sh up NAME          makes NAME-1, NAME-2 and NAME-3 with 10.213.0.1, .2 and .3
#   three_hosts.sh on NAME-2 COMMAND...
#   three_hosts.sh cut NAME-3       takes the host's link down
#   three_hosts.sh join NAME-3      takes it up again
#   three_hosts.sh down NAME        ends what runs on the hosts and removes them; may be repeated
#
# Needs root and iproute2. NAME has at most seven letters, for the sake of interface names.
set -eu

subnet=10.213.0

up() {
    ip link add "$1-br" type bridge
    ip link set "$1-br" up
    for number in 1 2 3; do
        host="$1-$number"
        ip netns add "$host"
        ip link add "$host-v" type veth peer name eth0 netns "$host"
        ip link set "$host-v" master "$1-br" up
        ip netns exec "$host" ip address add "$subnet.$number/24" dev eth0
        ip netns exec "$host" ip link set eth0 up
        ip netns exec "$host" ip link set lo up
    done
}

down() {
    for number in 1 2 3; do
        host="$1-$number"
        if ip netns list | grep -q "^$host\b"; then
            for process in $(ip netns pids "$host"); do
                kill -KILL "$process" 2>/dev/null || true
            done
            ip netns del "$host"
        fi
        ip link del "$host-v" 2>/dev/null || true
    done
    ip link del "$1-br" 2>/dev/null || true
}

action="${1:?up, on, cut, join or down}"
name="${2:?name}"
case "$action" in
    up) up "$name" ;;
    down) down "$name" ;;
    on) shift 2 && exec ip netns exec "$name" "$@" ;;
    cut) ip link set "$name-v" down ;;
    join) ip link set "$name-v" up ;;
    *) echo "three_hosts.sh: no such action: $action" >&2 && exit 2 ;;
esac
