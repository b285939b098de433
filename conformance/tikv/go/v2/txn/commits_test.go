package txn

import (
	"errors"
	"fmt"
	"math/rand"
	"sync"
	"testing"
	"time"

	tikverr "github.com/tikv/client-go/v2/error"
	"github.com/tikv/client-go/v2/kv"
	"github.com/tikv/client-go/v2/txnkv/transaction"
)

func TestWhatIsCommittedIsReadFromThenOnHoweverItIs(t *testing.T) {
	s := within(t)
	for _, m := range modes {
		before, err := s.CurrentTimestamp("global")
		s.must(err)
		txn := s.begin(m)
		if m.pessimistic {
			s.must(s.lock(txn, "a", "b"))
		}
		s.must(txn.Set(s.key("a"), []byte(m.name)))
		s.must(txn.Set(s.key("b"), []byte(m.name)))
		own, err := txn.Get(s.ctx, s.key("a"))
		s.must(err)
		if string(own) != m.name {
			t.Fatalf("%s: its own write is %q", m.name, own)
		}
		info := s.committed(txn)
		s.holds("a", m.name)
		s.holds("b", m.name)
		want := "2pc"
		if m.async {
			want = "async_commit"
		}
		// Two regions can't be written in one phase.
		if m.onePC && regions == 1 {
			want = "1pc"
		}
		if info.TxnCommitMode != want {
			t.Fatalf("%s was committed by %s instead of %s", m.name, info.TxnCommitMode, want)
		}
		old, err := s.GetSnapshot(before).Get(s.ctx, s.key("a"))
		if string(old) == m.name {
			t.Fatalf("%s: %q, %v before it was written", m.name, old, err)
		}
	}
	txn := s.begin(modes[0])
	s.must(txn.Delete(s.key("a")))
	s.must(txn.Commit(s.ctx))
	s.holds("a", "")
}

func TestWhatIsRolledBackIsNotThere(t *testing.T) {
	s := within(t)
	for _, m := range modes {
		txn := s.begin(m)
		if m.pessimistic {
			s.must(s.lock(txn, "a"))
		}
		s.must(txn.Set(s.key("a"), []byte("x")))
		s.must(txn.Rollback())
		s.holds("a", "")
	}
}

func TestTwoThatWriteTheSameAreInConflict(t *testing.T) {
	s := within(t)
	for _, m := range modes {
		if m.pessimistic {
			continue
		}
		first := s.begin(m)
		s.put("a", "second")
		s.must(first.Set(s.key("a"), []byte("first")))
		err := first.Commit(s.ctx)
		if !tikverr.IsErrWriteConflict(err) {
			t.Fatalf("%s: %v", m.name, err)
		}
	}
	s.holds("a", "second")
}

func TestWhatIsToBeNewMustNotBeThere(t *testing.T) {
	s := within(t)
	for _, m := range modes {
		s.put("a", "there")
		txn := s.begin(m)
		s.must(txn.GetMemBuffer().SetWithFlags(s.key("a"), []byte("new"), kv.SetPresumeKeyNotExists))
		s.must(txn.Set(s.key("b"), []byte("x")))
		var err error
		if m.pessimistic {
			err = s.lock(txn, "a")
			s.must(txn.Rollback())
		} else {
			err = txn.Commit(s.ctx)
		}
		if !tikverr.IsErrKeyExist(err) {
			t.Fatalf("%s: %v", m.name, err)
		}
	}
	s.holds("b", "")
}

func TestTransactionsOfManyKeysAndBytes(t *testing.T) {
	s := within(t)
	names := s.numbered(2000)
	for _, m := range modes {
		txn := s.begin(m)
		if m.pessimistic {
			s.must(s.lock(txn, names...))
		}
		value := make([]byte, 1000)
		copy(value, m.name)
		for _, name := range names {
			s.must(txn.Set(s.key(name), value))
		}
		s.must(txn.Commit(s.ctx))
		reader := s.begin(modes[0])
		found, err := reader.BatchGet(s.ctx, s.keys(names...))
		s.must(err)
		if len(found) != len(names) || string(found[string(s.key("key1999"))]) != string(value) {
			t.Fatalf("%s: %d of %d", m.name, len(found), len(names))
		}
	}
	txn := s.begin(modes[0])
	s.must(txn.Set(s.key("large"), make([]byte, 5<<20)))
	s.must(txn.Commit(s.ctx))
	found, err := s.begin(modes[0]).Get(s.ctx, s.key("large"))
	s.must(err)
	if len(found) != 5<<20 {
		t.Fatal(len(found))
	}
}

// What one who has crashed left is brought to an end by those who meet it.
func TestLocksOfOneThatCrashedAreResolved(t *testing.T) {
	s := within(t)
	for _, m := range modes {
		if m.onePC || m.pessimistic {
			continue
		}
		for _, isCommitted := range []bool{false, true} {
			s.put("a", "old", "b", "old")
			crashed := transaction.TxnProbe{KVTxn: s.begin(m)}
			for _, name := range []string{"a", "b"} {
				s.must(crashed.Set(s.key(name), []byte("new")))
			}
			committer, err := crashed.NewCommitter(1)
			s.must(err)
			if m.async {
				committer.SetUseAsyncCommit()
			}
			committer.SetLockTTL(1)
			s.must(committer.PrewriteAllMutations(s.ctx))
			value := "old"
			switch {
			case m.async:
				// All its locks are there: it is committed.
				value = "new"
			case isCommitted:
				ts, err := s.CurrentTimestamp("global")
				s.must(err)
				committer.SetCommitTS(ts)
				s.must(committer.CommitMutations(s.ctx))
				value = "new"
			}
			s.holds("b", value)
			s.holds("a", value)
			s.put("a", "after", "b", "after")
			s.holds("b", "after")
		}
	}
}

func TestMoneyIsNeitherMadeNorLost(t *testing.T) {
	s := within(t)
	const accounts, each, total = 8, 100, 800
	for number := range accounts {
		s.put(fmt.Sprint("account", number), fmt.Sprint(each))
	}
	var working sync.WaitGroup
	stop := time.Now().Add(3 * time.Second)
	for worker := range 8 {
		working.Go(func() {
			chance := rand.New(rand.NewSource(int64(worker)))
			for time.Now().Before(stop) {
				s.transfer(modes[chance.Intn(len(modes))], chance.Intn(accounts), chance.Intn(accounts), chance.Intn(20))
			}
		})
	}
	for time.Now().Before(stop) {
		if sum := s.sum(accounts); sum != total {
			t.Errorf("there is %d in the middle", sum)
			break
		}
	}
	working.Wait()
	if sum := s.sum(accounts); sum != total {
		t.Fatalf("there is %d in the end", sum)
	}
}

func (s *space) sum(accounts int) (sum int) {
	s.Helper()
	reader := s.begin(modes[0])
	for number := range accounts {
		balance, err := reader.Get(s.ctx, s.key(fmt.Sprint("account", number)))
		s.must(err)
		sum += amount(balance)
	}
	return sum
}

func amount(balance []byte) (amount int) {
	fmt.Sscan(string(balance), &amount)
	return amount
}

func (s *space) transfer(m mode, from, to, some int) {
	if from == to {
		return
	}
	txn := s.begin(m)
	debtor, creditor := fmt.Sprint("account", from), fmt.Sprint("account", to)
	if m.pessimistic {
		err := s.lock(txn, debtor, creditor)
		var deadlock *tikverr.ErrDeadlock
		if errors.As(err, &deadlock) || tikverr.IsErrWriteConflict(err) {
			txn.Rollback()
			return
		}
		s.must(err)
	}
	read := func(name string) int {
		// A pessimistic transaction reads what it has locked, which may be newer than its start.
		snapshot := txn.GetSnapshot()
		if m.pessimistic {
			ts, err := s.CurrentTimestamp("global")
			s.must(err)
			snapshot = s.GetSnapshot(ts)
		}
		balance, err := snapshot.Get(s.ctx, s.key(name))
		s.must(err)
		return amount(balance)
	}
	has, had := read(debtor), read(creditor)
	s.must(txn.Set(s.key(debtor), fmt.Append(nil, has-some)))
	s.must(txn.Set(s.key(creditor), fmt.Append(nil, had+some)))
	if err := txn.Commit(s.ctx); err != nil && !tikverr.IsErrWriteConflict(err) {
		var retryable *tikverr.ErrRetryable
		if !errors.As(err, &retryable) {
			s.Errorf("%s: %v", m.name, err)
		}
	}
}
