package txn

import (
	"errors"
	"testing"
	"time"

	tikverr "github.com/tikv/client-go/v2/error"
	"github.com/tikv/client-go/v2/kv"
)

var pessimistic = mode{"pessimistic", true, false, false}

func TestALockThatAnotherHoldsIsWaitedForOrNot(t *testing.T) {
	s := within(t)
	holder, waiter := s.begin(pessimistic), s.begin(pessimistic)
	s.must(s.lock(holder, "a"))
	ts, err := s.CurrentTimestamp("global")
	s.must(err)
	err = waiter.LockKeys(s.ctx, kv.NewLockCtx(ts, kv.LockNoWait, time.Now()), s.key("a"))
	if !errors.Is(err, tikverr.ErrLockAcquireFailAndNoWaitSet) {
		t.Fatalf("without waiting: %v", err)
	}
	err = waiter.LockKeys(s.ctx, kv.NewLockCtx(ts, 50, time.Now()), s.key("a"))
	if !errors.Is(err, tikverr.ErrLockWaitTimeout) {
		t.Fatalf("after 50 ms: %v", err)
	}
	s.must(waiter.Rollback())
	s.must(holder.Rollback())
}

func TestAReleasedLockIsTakenByTheOneThatWaits(t *testing.T) {
	s := within(t)
	for _, isCommitted := range []bool{false, true} {
		holder, waiter := s.begin(pessimistic), s.begin(pessimistic)
		s.must(s.lock(holder, "a"))
		taken := make(chan error)
		go func() {
			for {
				err := s.lock(waiter, "a")
				if !tikverr.IsErrWriteConflict(err) {
					taken <- err
					return
				}
			}
		}()
		if isCommitted {
			s.must(holder.Set(s.key("a"), []byte("holder")))
			s.must(holder.Commit(s.ctx))
		} else {
			s.must(holder.Rollback())
		}
		s.must(<-taken)
		s.must(waiter.Set(s.key("a"), []byte("waiter")))
		s.must(waiter.Commit(s.ctx))
		s.holds("a", "waiter")
	}
}

func TestThoseWhoWaitForEachOtherAreToldSo(t *testing.T) {
	s := within(t)
	first, second := s.begin(pessimistic), s.begin(pessimistic)
	s.must(s.lock(first, "a"))
	s.must(s.lock(second, "b"))
	results := make(chan error, 2)
	go func() { results <- s.lock(first, "b") }()
	go func() { results <- s.lock(second, "a") }()
	err := <-results
	var deadlock *tikverr.ErrDeadlock
	if !errors.As(err, &deadlock) {
		t.Fatalf("%v", err)
	}
	if len(deadlock.WaitChain) != 2 || deadlock.DeadlockKeyHash == 0 {
		t.Fatalf("%+v", deadlock.Deadlock)
	}
	victim, other := first, second
	if deadlock.LockTs == first.StartTS() {
		victim, other = second, first
	}
	s.must(victim.Rollback())
	if err := <-results; err != nil && !tikverr.IsErrWriteConflict(err) {
		t.Fatalf("the other: %v", err)
	}
	s.must(other.Rollback())
}

func TestALockBringsTheNewestValue(t *testing.T) {
	s := within(t)
	txn := s.begin(pessimistic)
	s.put("a", "newer")
	ts, err := s.CurrentTimestamp("global")
	s.must(err)
	lock := kv.NewLockCtx(ts, kv.LockAlwaysWait, time.Now())
	lock.InitReturnValues(2)
	s.must(txn.LockKeys(s.ctx, lock, s.keys("a", "none")...))
	if value, _ := lock.GetValueNotLocked(s.key("a")); string(value) != "newer" {
		t.Fatalf("%q", value)
	}
	if found := lock.Values[string(s.key("none"))]; found.Exists || len(found.Value) != 0 {
		t.Fatalf("%+v", found)
	}
	s.must(txn.Rollback())
	txn = s.begin(pessimistic)
	stale := kv.NewLockCtx(txn.StartTS(), kv.LockAlwaysWait, time.Now())
	s.put("a", "newest")
	if err := txn.LockKeys(s.ctx, stale, s.key("a")); !tikverr.IsErrWriteConflict(err) {
		t.Fatalf("%v", err)
	}
	s.must(txn.Rollback())
}

func TestOnlyKeysThatAreThereAreLocked(t *testing.T) {
	s := within(t)
	s.put("a", "there")
	txn := s.begin(pessimistic)
	s.must(s.lock(txn, "first"))
	ts, err := s.CurrentTimestamp("global")
	s.must(err)
	lock := kv.NewLockCtx(ts, kv.LockAlwaysWait, time.Now())
	lock.LockOnlyIfExists = true
	lock.InitReturnValues(2)
	s.must(txn.LockKeys(s.ctx, lock, s.keys("a", "b")...))
	other := s.begin(pessimistic)
	s.must(other.LockKeys(s.ctx, kv.NewLockCtx(ts, kv.LockNoWait, time.Now()), s.key("b")))
	err = other.LockKeys(s.ctx, kv.NewLockCtx(ts, kv.LockNoWait, time.Now()), s.key("a"))
	if !errors.Is(err, tikverr.ErrLockAcquireFailAndNoWaitSet) {
		t.Fatalf("%v", err)
	}
	s.must(other.Rollback())
	s.must(txn.Rollback())
}

func TestALockIsTakenInSpiteOfAConflict(t *testing.T) {
	s := within(t)
	txn := s.begin(pessimistic)
	lock := kv.NewLockCtx(txn.StartTS(), kv.LockAlwaysWait, time.Now())
	s.put("a", "newer")
	txn.StartAggressiveLocking()
	lock.InitReturnValues(1)
	s.must(txn.LockKeys(s.ctx, lock, s.key("a")))
	found := lock.Values[string(s.key("a"))]
	if string(found.Value) != "newer" || found.LockedWithConflictTS == 0 {
		t.Fatalf("%+v", found)
	}
	txn.DoneAggressiveLocking(s.ctx)
	s.must(txn.Set(s.key("a"), []byte("newest")))
	s.must(txn.Commit(s.ctx))
	s.holds("a", "newest")
}

func TestALockThatIsForgottenIsOverInTheEnd(t *testing.T) {
	s := within(t)
	forgotten := s.begin(pessimistic)
	s.must(s.lock(forgotten, "a"))
	s.must(forgotten.Set(s.key("a"), []byte("forgotten")))
	kept := s.begin(modes[0])
	if _, err := kept.Get(s.ctx, s.key("a")); !tikverr.IsErrNotFound(err) {
		t.Fatalf("a reader waits for nobody who may yet write: %v", err)
	}
	s.must(forgotten.Commit(s.ctx))
	if _, err := kept.Get(s.ctx, s.key("a")); !tikverr.IsErrNotFound(err) {
		t.Fatalf("a reader sees what was committed after it began: %v", err)
	}
}
