package main

import (
	"sync"
	"time"
)

// Cheap, and the same for all.
type random uint64

func (r *random) next() uint64 {
	*r ^= *r << 13
	*r ^= *r >> 7
	*r ^= *r << 17
	return uint64(*r)
}

type pendingTimers struct {
	random random
	timers []*time.Timer
}

func (p *pendingTimers) later() time.Duration {
	return 30*time.Second + time.Duration(p.random.next()%60e9)
}

func pending(n int64) *pendingTimers {
	p := &pendingTimers{random: 88172645463325252, timers: make([]*time.Timer, n)}
	for i := range p.timers {
		p.timers[i] = time.AfterFunc(p.later(), func() {})
	}
	return p
}

func timerCancel(p plan) outcome {
	others := pending(p.size)
	o := p.repeat(1000, func(n int64) int64 {
		var cancelled int64
		for i := int64(0); i < n; i++ {
			if time.AfterFunc(30*time.Second, func() {}).Stop() {
				cancelled++
			}
		}
		return cancelled
	})
	others.timers[0].Stop()
	return o
}

func timerRearm(p plan) outcome {
	others := pending(p.size)
	return p.repeat(1000, func(n int64) int64 {
		var cancelled int64
		for i := int64(0); i < n; i++ {
			t := others.timers[(others.random.next()>>32)*uint64(p.size)>>32]
			if t.Reset(others.later()) {
				cancelled++
			}
		}
		return cancelled
	})
}

// When timer i of n is due, after the first: over 100 ms, in no order.
func spread(i, n int64) time.Duration { return time.Duration(i * 48271 % n * 100e6 / n) }

// What counts is the processor time from the first to the last.
func timerExpire(p plan) outcome {
	return p.collect(func() outcome {
		var done sync.WaitGroup
		var inTime int64
		first := time.Now().Add(10*time.Millisecond + time.Duration(p.size)*2*time.Microsecond)
		for i := int64(0); i < p.size; i++ {
			done.Add(1)
			due := first.Add(spread(i, p.size))
			time.AfterFunc(time.Until(due), func() {
				if !time.Now().Before(due) {
					inTime++
				}
				done.Done()
			})
		}
		time.Sleep(time.Until(first))
		begin := processorTime()
		done.Wait()
		return outcome{ns: (processorTime() - begin) / float64(p.size), ops: p.size, check: inTime}
	})
}
