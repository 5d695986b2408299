#!/bin/sh
# A Slurm on this machine alone, from Debian's packages slurm-wlm and munge.
#
#   slurm.sh install       installs the packages (needs root and the network)
#   slurm.sh up FOLDER     starts munged, slurmctld and slurmd; all their files go below FOLDER
#   slurm.sh down FOLDER   ends them; may be repeated
#
# After `up`, SLURM_CONF=FOLDER/slurm.conf makes sbatch and squeue speak to it. Needs root. The ports
# are $SLURMCTLD_PORT and $SLURMD_PORT. Nothing outside FOLDER is written, and a Slurm that is
# installed here already is left alone.
set -eu

install_packages() {
    apt-get install -y --no-install-recommends slurm-wlm munge
}

write_config() {
    memory_mib=$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)
    # The plugins that need no control groups, so that it works inside containers too.
    cat > "$1/slurm.conf" <<END
ClusterName=mmea
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmctldPort=${SLURMCTLD_PORT:-16817}
SlurmdPort=${SLURMD_PORT:-16818}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$1/munge.socket
CredType=cred/munge
StateSaveLocation=$1/state
SlurmdSpoolDir=$1/spool
SlurmctldPidFile=$1/slurmctld.pid
SlurmdPidFile=$1/slurmd.pid
SlurmctldLogFile=$1/slurmctld.log
SlurmdLogFile=$1/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
NodeName=$(hostname) NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$memory_mib State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
}

up() {
    mkdir -p "$1/state" "$1/spool"
    write_config "$1"
    head -c 1024 /dev/urandom > "$1/munge.key"
    chmod 400 "$1/munge.key"
    # Forced, because temporary folders are closed to other users and munged wants its open.
    munged --force --key-file="$1/munge.key" --socket="$1/munge.socket" \
        --pid-file="$1/munged.pid" --log-file="$1/munged.log" --seed-file="$1/munge.seed"
    export SLURM_CONF="$1/slurm.conf"
    slurmctld
    slurmd
    tries=0
    until sinfo --noheader --format=%T 2>/dev/null | grep -q idle; do
        tries=$((tries + 1))
        if [ "$tries" -ge 120 ]; then
            echo "slurm.sh: no node became idle; see the logs in $1" >&2
            tail -n 5 "$1"/*.log >&2
            exit 1
        fi
        sleep 0.5
    done
}

down() {
    for daemon in slurmd slurmctld munged; do
        [ -f "$1/$daemon.pid" ] || continue
        process=$(cat "$1/$daemon.pid")
        kill "$process" 2>/dev/null || continue
        tries=0
        while kill -0 "$process" 2>/dev/null && [ "$tries" -lt 100 ]; do
            tries=$((tries + 1))
            sleep 0.1
        done
        kill -KILL "$process" 2>/dev/null || true
    done
}

case "${1:-}" in
    install) install_packages ;;
    up) up "${2:?folder}" ;;
    down) down "${2:?folder}" ;;
    *) sed -n '2,10p' "$0" >&2 && exit 2 ;;
esac
