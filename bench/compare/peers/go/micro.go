// Goroutines, channels, timers of the runtime: one processor, but where a work is about two.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func yield(p plan) outcome {
	var left, counted int64
	turn := func() {
		if left > 0 { // the order is not strict, so that a round ends by number
			left--
			counted++
		}
		runtime.Gosched()
	}
	stop := false
	var others sync.WaitGroup
	for i := int64(1); i < p.size; i++ {
		others.Add(1)
		go func() {
			for !stop {
				turn()
			}
			others.Done()
		}()
	}
	runtime.Gosched()
	o := p.repeat(p.size, func(n int64) int64 {
		before := counted
		for left = n; left > 0; {
			turn()
		}
		return counted - before
	})
	stop = true
	others.Wait()
	return o
}

// The idiom: a channel that the results come through.
func spawnJoin(p plan) outcome {
	results := make(chan int64, p.size)
	return p.repeat(p.size, func(n int64) int64 {
		var sum int64
		for round := n / p.size; round > 0; round-- {
			for i := int64(0); i < p.size; i++ {
				go func() { results <- 1 }()
			}
			for i := int64(0); i < p.size; i++ {
				sum += <-results
			}
		}
		return sum
	})
}

func pingPong(capacity, messages int64) int64 {
	ping, pong := make(chan int64, capacity), make(chan int64, capacity)
	var there, back int64
	go func() {
		for i := range ping {
			there++
			pong <- i
		}
		close(pong)
	}()
	for i := int64(0); i < messages/2; i++ {
		ping <- i
		if <-pong == i {
			back++
		}
	}
	close(ping)
	<-pong
	return there + back
}

func stream(capacity, items int64) int64 {
	numbers, result := make(chan int64, capacity), make(chan int64)
	go func() {
		var received int64
		for i := range numbers {
			if i == received {
				received++
			}
		}
		result <- received
	}()
	for i := int64(0); i < items; i++ {
		numbers <- i
	}
	close(numbers)
	return <-result
}

func channel(p plan) outcome {
	return p.repeat(1000, func(n int64) int64 {
		if p.size > 1 {
			return stream(p.size, n)
		}
		return pingPong(p.size, n)
	})
}

func mutex(p plan) outcome {
	var m sync.Mutex
	var counter int64
	freeTurns := func(n int64) {
		for i := int64(0); i < n; i++ {
			m.Lock()
			counter++
			m.Unlock()
		}
	}
	contendedTurns := func(n int64, done *sync.WaitGroup) {
		for i := int64(0); i < n; i++ {
			m.Lock()
			runtime.Gosched()
			counter++
			m.Unlock()
		}
		done.Done()
	}
	return p.repeat(1000, func(n int64) int64 {
		counter = 0
		if p.size == 1 {
			freeTurns(n)
			return counter
		}
		var done sync.WaitGroup
		done.Add(2)
		go contendedTurns(n/2, &done)
		go contendedTurns(n/2, &done)
		done.Wait()
		return counter
	})
}

func skynetNode(result chan<- int64, first, size int64) {
	if size == 1 {
		result <- first
		return
	}
	part := size / 10
	children := make(chan int64, 10)
	for i := int64(0); i < 10; i++ {
		go skynetNode(children, first+i*part, part)
	}
	var sum int64
	for i := 0; i < 10; i++ {
		sum += <-children
	}
	result <- sum
}

func skynet(p plan) outcome {
	run := func(leaves int64) int64 {
		result := make(chan int64, 1)
		go skynetNode(result, 0, leaves)
		return <-result
	}
	run(1000)
	o := p.collect(func() outcome {
		begin := time.Now()
		sum := run(p.size)
		return outcome{ns: nanoseconds(begin) / float64(p.size), ops: p.size, check: sum}
	})
	if rounds := o.ops / p.size; o.check%rounds == 0 {
		o.check /= rounds
	} else {
		o.check = -1
	}
	o.peakMiB = memoryOf("VmHWM:") / (1 << 20)
	return o
}

func skynet2(p plan) outcome {
	runtime.GOMAXPROCS(2)
	return skynet(p)
}

func parked(p plan) outcome {
	debug.SetGCPercent(-1) // a collection would measure something else
	gate := make(chan struct{})
	var done sync.WaitGroup
	var woken int64
	before := memoryInUse()
	begin := time.Now()
	for i := int64(0); i < p.size; i++ {
		done.Add(1)
		go func() {
			<-gate
			woken++
			done.Done()
		}()
	}
	runtime.Gosched()
	spent := nanoseconds(begin)
	after := memoryInUse()
	close(gate)
	done.Wait()
	n := float64(p.size)
	return outcome{ns: spent / n, ops: p.size, check: woken, bytes: (after - before) / n}
}

// Two processors, so that the other goroutine has a thread of its own.
func wake(p plan) outcome {
	runtime.GOMAXPROCS(2)
	if p.size == 0 {
		return wakeSleeper(p)
	}
	return postToBusy(p)
}

func wakeSleeper(p plan) outcome {
	there, back := make(chan int64), make(chan int64)
	go func() {
		runtime.LockOSThread() // it sleeps, and does not become the sender's neighbour
		for i := range there {
			back <- i
		}
	}()
	o := p.repeat(100, func(n int64) int64 {
		var received int64
		for i := int64(0); i < n; i++ {
			there <- i
			if <-back == i {
				received++
			}
		}
		return received
	})
	close(there)
	return o
}

func postToBusy(p plan) outcome {
	const last = -1
	there, back := make(chan int64, 10000), make(chan int64)
	var stop atomic.Bool
	go func() {
		var received int64
		for !stop.Load() {
			select {
			case i := <-there:
				received++
				if i == last {
					back <- received
					received = 0
				}
			default: // it has something else to do
			}
		}
	}()
	o := p.repeat(10000, func(n int64) int64 {
		for i := int64(1); i < n; i++ {
			there <- i
		}
		there <- last
		return <-back
	})
	stop.Store(true)
	return o
}

func main() {
	works := map[string]func(plan) outcome{
		"yield": yield, "spawn_join": spawnJoin, "channel": channel, "mutex": mutex, "skynet": skynet,
		"skynet_2": skynet2, "timer_cancel": timerCancel, "timer_rearm": timerRearm, "timer_expire": timerExpire,
		"parked": parked, "wake": wake,
	}
	if len(os.Args) == 4 && works[os.Args[1]] != nil {
		size, _ := strconv.ParseInt(os.Args[2], 10, 64)
		milliseconds, _ := strconv.ParseFloat(os.Args[3], 64)
		works[os.Args[1]](plan{size, milliseconds}).print()
		return
	}
	fmt.Fprintln(os.Stderr, "usage: micro WORK SIZE MILLISECONDS, where WORK is one of:")
	for name := range works {
		fmt.Fprintln(os.Stderr, "  "+name)
	}
	os.Exit(2)
}
