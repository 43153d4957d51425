package proc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// tick is the unit of the times in /proc/PID/stat: the kernel reports hundredths of a second, whatever its own clock.
const tick = 10 * time.Millisecond

// CPU returns the processor time that a process has used so far, in its own code and in the kernel for it.
func CPU(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read the CPU time: %w", err)
	}
	return cpuTime(stat)
}

// cpuTime reads utime and stime, fields 14 and 15 of proc_pid_stat(5). The second field is the program's name in
// brackets, which may contain anything, even brackets.
func cpuTime(stat []byte) (time.Duration, error) {
	rest := afterLast(stat, []byte(") "))
	fields := bytes.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("read the CPU time: unknown form %q", stat)
	}
	var sum time.Duration
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the CPU time: %w", err)
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// Children returns the processes that a process started. Not every kernel has the list in /proc/PID/task, so the
// parent of every process is read.
func Children(pid int) (all []int, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // it ended meanwhile
		}
		child, parent, err := family(stat)
		if err != nil {
			return nil, err
		}
		if parent == pid {
			all = append(all, child)
		}
	}
	return all, nil
}

// family reads pid and ppid, fields 1 and 4 of proc_pid_stat(5).
func family(stat []byte) (pid, parent int, err error) {
	var state string
	own, _, _ := bytes.Cut(stat, []byte(" "))
	rest := afterLast(stat, []byte(") "))
	if pid, err = strconv.Atoi(string(own)); err == nil {
		_, err = fmt.Sscan(string(rest), &state, &parent)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read the parent: unknown form %q: %w", stat, err)
	}
	return pid, parent, nil
}

// Busy returns the time that all processors together have worked so far, for all processes.
func Busy() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read the processors' time: %w", err)
	}
	return busyTime(stat)
}

// busyTime reads the first line of proc_stat(5): user, nice, system, idle, iowait, irq, softirq, and steal, which is
// the time of other virtual machines.
func busyTime(stat []byte) (time.Duration, error) {
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 9 || string(fields[0]) != "cpu" {
		return 0, fmt.Errorf("read the processors' time: unknown form %q", line)
	}
	var sum time.Duration
	for i, field := range fields[1:9] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the processors' time: %w", err)
		}
		if i != 3 && i != 4 { // idle and iowait
			sum += time.Duration(n) * tick
		}
	}
	return sum, nil
}

// afterLast returns what follows the last sep; nil if there is none.
func afterLast(s, sep []byte) []byte {
	if i := bytes.LastIndex(s, sep); i >= 0 {
		return s[i+len(sep):]
	}
	return nil
}

// ForgetPeak resets PeakRSS to the memory that is resident now. If the kernel does not allow that, the peak stays that
// of the whole life, and PeakRSS is an upper bound.
func ForgetPeak(pid int) { _ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0) }

// PeakRSS returns the largest resident memory, in bytes.
func PeakRSS(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read the peak memory: %w", err)
	}
	return peak(status)
}

func peak(status []byte) (int64, error) {
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0, fmt.Errorf("read the peak memory: no VmHWM")
	}
	kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the peak memory: %w", err)
	}
	return kib << 10, nil
}
