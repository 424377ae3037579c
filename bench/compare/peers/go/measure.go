package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What the command line asks for.
type plan struct {
	size         int64
	milliseconds float64
}

type outcome struct {
	ns             float64 // per operation
	ops            int64   // how many were asked for
	check          int64   // counted by those who did them
	peakMiB, bytes float64 // reported when set
}

func (o outcome) print() {
	fmt.Printf(`{"ns": %.3f, "ops": %d, "check": %d`, o.ns, o.ops, o.check)
	if o.peakMiB != 0 {
		fmt.Printf(`, "peak_mib": %.1f`, o.peakMiB)
	}
	if o.bytes != 0 {
		fmt.Printf(`, "bytes": %.0f`, o.bytes)
	}
	fmt.Println("}")
}

func nanoseconds(begin time.Time) float64 { return float64(time.Since(begin)) }

// Calls round(n), which does n operations and returns how many went through, for the time that is given. n is a
// multiple of unit. The rounds that find out how large n must be are the warm-up.
func (p plan) repeat(unit int64, round func(n int64) int64) outcome {
	n := unit
	for ; ; n *= 2 {
		begin := time.Now()
		round(n)
		if nanoseconds(begin) > p.milliseconds*1e6/20 {
			break
		}
	}
	var o outcome
	begin := time.Now()
	for spent := 0.0; spent < p.milliseconds*1e6; spent = nanoseconds(begin) {
		o.check += round(n)
		o.ops += n
	}
	o.ns = nanoseconds(begin) / float64(o.ops)
	return o
}

// Calls round(), which gives an outcome of its own, for the time that is given, at least once.
func (p plan) collect(round func() outcome) outcome {
	var o outcome
	spent := 0.0
	for begin := time.Now(); o.ops == 0 || nanoseconds(begin) < p.milliseconds*1e6; {
		one := round()
		spent += one.ns * float64(one.ops)
		o.ops += one.ops
		o.check += one.check
	}
	o.ns = spent / float64(o.ops)
	return o
}

// A field of /proc/self/status in bytes.
func memoryOf(field string) float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		if words := strings.Fields(line); len(words) > 1 && words[0] == field {
			kib, _ := strconv.ParseFloat(words[1], 64)
			return kib * 1024
		}
	}
	return 0
}

func memoryInUse() float64 { return memoryOf("VmRSS:") + memoryOf("VmPTE:") }

// Processor time of all threads, in nanoseconds.
func processorTime() float64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return float64(usage.Utime.Nano() + usage.Stime.Nano())
}
