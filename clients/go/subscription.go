package liqmon

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// LookBack is how many messages of each partition before the committed one are read to know what was handled: more
	// than a flush has events, so that whatever a monitor repeats after its own crash is known.
	LookBack = 1_000
	// CommitEvery is what a crash lets be delivered again.
	CommitEvery = time.Second
	poll        = 200 * time.Millisecond // how long a commit that is due may wait where nothing comes
	looking     = 30 * time.Second
	session     = 10 * time.Second // how long a dead member keeps its partitions
)

// ErrEnough is what a handler returns to end the subscription after the alert in its hand, which counts as finished.
var ErrEnough = errors.New("enough")

// Options say where a subscription reads, and as whom.
type Options struct {
	Brokers []string
	Prefix  string
	// Group is the consumer group that remembers what is finished; its members share the accounts. Without one all of
	// both topics is read, from the oldest event kept, and nothing is remembered.
	Group         string
	Keys          Keys
	AllowUnsigned bool
	// UntilEnd ends the subscription where the topics ended when it began; it is meant for a group's only member.
	UntilEnd bool
	// NowUS is the clock for valid_until_us; nil: this machine's.
	NowUS     func() int64
	OnRefused func(Message, Refusal)
	// Client has what else the Kafka client needs, such as TLS and user.
	Client []kgo.Opt
}

// Subscription gives the alerts of both topics, each partition in its order. Counts are messages by reason, alerts
// under "delivered", offsets that were deleted unread under "lost".
type Subscription struct {
	Counts  map[string]int
	options Options
	client  *kgo.Client
	screen  *Screen
	left    map[place]int64 // partitions that are not at their end yet, with that end

	mutex  sync.Mutex // the client tells of partitions in a goroutine of its own
	places map[place]*progress
	due    time.Time
}

// progress is how far one partition is: what is finished, by the group at first, and what of that is committed.
type progress struct{ done, told int64 }

const none = int64(-1)

// Subscribe connects; Close ends it.
func Subscribe(ctx context.Context, options Options) (*Subscription, error) {
	if options.NowUS == nil {
		options.NowUS = func() int64 { return time.Now().UnixMicro() }
	}
	made := &Subscription{
		Counts: map[string]int{}, options: options, screen: NewScreen(options.Keys, options.AllowUnsigned),
		left: map[place]int64{}, places: map[place]*progress{},
	}
	var topics []string
	for topic := range Topics {
		topics = append(topics, options.Prefix+topic)
	}
	settings := append([]kgo.Opt{
		kgo.SeedBrokers(options.Brokers...), kgo.ConsumeTopics(topics...), kgo.ClientID("liqmon-client"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}, options.Client...)
	if options.Group != "" {
		settings = append(settings,
			kgo.ConsumerGroup(options.Group), kgo.SessionTimeout(session), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
			kgo.AdjustFetchOffsetsFn(made.begin), kgo.OnPartitionsRevoked(made.giveUp), kgo.OnPartitionsLost(made.lose),
		)
	}
	client, err := kgo.NewClient(settings...)
	if err != nil {
		return nil, err
	}
	made.client = client
	if err := made.findEnds(ctx, topics); err != nil {
		client.Close()
		return nil, err
	}
	return made, nil
}

// Close leaves the group. What is finished was committed by Run.
func (subscription *Subscription) Close() {
	if subscription.options.Group != "" {
		subscription.client.AllowRebalance()
	}
	subscription.client.Close()
}

// Run hands each alert to handle, until ctx is done or handle returns an error. An alert is finished when handle returns
// nil or ErrEnough; finished ones are committed every second, before partitions are given up, and at the end. A crash in
// between has them delivered once more, to the next process.
func (subscription *Subscription) Run(ctx context.Context, handle func(Alert) error) (err error) {
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), looking)
		defer cancel()
		err = errors.Join(err, subscription.commit(ending))
	}()
	for ctx.Err() == nil && !(subscription.options.UntilEnd && len(subscription.left) == 0) {
		err := subscription.round(ctx, handle)
		if errors.Is(err, ErrEnough) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// round takes what comes within a short time, and commits what is due.
func (subscription *Subscription) round(ctx context.Context, handle func(Alert) error) error {
	waiting, cancel := context.WithTimeout(ctx, poll)
	defer cancel()
	fetched := subscription.client.PollFetches(waiting)
	if subscription.options.Group != "" {
		defer subscription.client.AllowRebalance()
	}
	for _, failed := range fetched.Errors() {
		if waiting.Err() == nil || !errors.Is(failed.Err, waiting.Err()) {
			return failed.Err // what can be tried again, the client has tried
		}
	}
	for records := fetched.RecordIter(); !records.Done(); {
		if err := subscription.take(records.Next(), handle); err != nil {
			return err
		}
	}
	if time.Now().Before(subscription.due) {
		return nil
	}
	return subscription.commit(ctx)
}

func (subscription *Subscription) take(record *kgo.Record, handle func(Alert) error) error {
	at := place{record.Topic, record.Partition}
	if end, known := subscription.left[at]; known && record.Offset >= end-1 {
		delete(subscription.left, at)
	}
	message := subscription.message(record)
	of := subscription.progress(at)
	if of.done != none && record.Offset < of.done {
		subscription.screen.Seed(message)
		return nil
	}
	if of.done != none && record.Offset > of.done {
		// Event topics are neither compacted nor transactional: what is not there was deleted.
		subscription.Counts["lost"] += int(record.Offset - of.done)
	}
	alert, refusal := subscription.screen.Judge(message, subscription.options.NowUS())
	if refusal != nil {
		subscription.Counts[string(refusal.Reason)]++
		if subscription.options.OnRefused != nil {
			subscription.options.OnRefused(message, *refusal)
		}
		subscription.finish(of, record)
		return nil
	}
	subscription.Counts["delivered"]++
	err := handle(*alert)
	if err == nil || errors.Is(err, ErrEnough) {
		subscription.finish(of, record)
	}
	return err
}

func (subscription *Subscription) message(record *kgo.Record) Message {
	message := Message{
		Topic: strings.TrimPrefix(record.Topic, subscription.options.Prefix), Partition: record.Partition,
		Offset: record.Offset, Key: record.Key, Value: record.Value,
	}
	for _, header := range record.Headers {
		message.Headers = append(message.Headers, Header{Name: header.Key, Value: header.Value})
	}
	return message
}

func (subscription *Subscription) progress(at place) *progress {
	subscription.mutex.Lock()
	defer subscription.mutex.Unlock()
	found, known := subscription.places[at]
	if !known {
		found = &progress{none, none}
		subscription.places[at] = found
	}
	return found
}

func (subscription *Subscription) finish(of *progress, record *kgo.Record) {
	subscription.mutex.Lock()
	defer subscription.mutex.Unlock()
	of.done = record.Offset + 1
}

// begin has partitions read from a little before what the group has committed.
func (subscription *Subscription) begin(
	_ context.Context, offsets map[string]map[int32]kgo.Offset,
) (map[string]map[int32]kgo.Offset, error) {
	subscription.mutex.Lock()
	defer subscription.mutex.Unlock()
	for topic, partitions := range offsets {
		for partition, offset := range partitions {
			committed := offset.EpochOffset().Offset
			if committed < 0 { // nothing is committed: from the beginning
				subscription.places[place{topic, partition}] = &progress{none, none}
				continue
			}
			subscription.places[place{topic, partition}] = &progress{committed, committed}
			partitions[partition] = kgo.NewOffset().At(max(0, committed-LookBack))
		}
	}
	return offsets, nil
}

// giveUp commits what is finished; what follows is somebody else's.
func (subscription *Subscription) giveUp(ctx context.Context, _ *kgo.Client, lost map[string][]int32) {
	_ = subscription.commit(ctx) // whoever gets the partitions begins before what was not committed
	subscription.lose(ctx, nil, lost)
}

func (subscription *Subscription) lose(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	subscription.mutex.Lock()
	defer subscription.mutex.Unlock()
	for topic, partitions := range lost {
		for _, partition := range partitions {
			delete(subscription.places, place{topic, partition})
		}
	}
}

// commit tells the group what is finished. Where the group has given a partition to another member meanwhile, that one
// begins before these alerts: counted as "uncommitted".
func (subscription *Subscription) commit(ctx context.Context) error {
	if subscription.options.Group == "" {
		return nil
	}
	subscription.mutex.Lock()
	subscription.due = time.Now().Add(CommitEvery)
	due := map[string]map[int32]kgo.EpochOffset{}
	for at, of := range subscription.places {
		if of.done != none && of.done != of.told {
			if due[at.topic] == nil {
				due[at.topic] = map[int32]kgo.EpochOffset{}
			}
			due[at.topic][at.partition] = kgo.EpochOffset{Epoch: -1, Offset: of.done}
		}
	}
	subscription.mutex.Unlock()
	if len(due) == 0 {
		return nil
	}
	var failed error
	subscription.client.CommitOffsetsSync(ctx, due, func(
		_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error,
	) {
		if failed = err; err == nil {
			failed = subscription.committed(due, answer)
		}
	})
	return failed
}

func (subscription *Subscription) committed(
	due map[string]map[int32]kgo.EpochOffset, answer *kmsg.OffsetCommitResponse,
) error {
	subscription.mutex.Lock()
	defer subscription.mutex.Unlock()
	for _, topic := range answer.Topics {
		for _, partition := range topic.Partitions {
			switch err := kerr.ErrorForCode(partition.ErrorCode); {
			case errors.Is(err, kerr.IllegalGeneration), errors.Is(err, kerr.RebalanceInProgress),
				errors.Is(err, kerr.UnknownMemberID):
				subscription.Counts["uncommitted"]++
			case err != nil:
				return err
			default:
				if of, ours := subscription.places[place{topic.Topic, partition.Partition}]; ours {
					of.told = due[topic.Topic][partition.Partition].Offset
				}
			}
		}
	}
	return nil
}

// findEnds notes where the topics end now; it fails where they, or the broker, are not there.
func (subscription *Subscription) findEnds(ctx context.Context, topics []string) error {
	limited, cancel := context.WithTimeout(ctx, looking)
	defer cancel()
	admin := kadm.NewClient(subscription.client)
	begins, err := admin.ListStartOffsets(limited, topics...)
	if err = errors.Join(err, begins.Error()); err != nil {
		return err
	}
	ends, err := admin.ListEndOffsets(limited, topics...)
	if err = errors.Join(err, ends.Error()); err != nil {
		return err
	}
	ends.Each(func(end kadm.ListedOffset) {
		if begin, known := begins.Lookup(end.Topic, end.Partition); known && end.Offset > begin.Offset {
			subscription.left[place{end.Topic, end.Partition}] = end.Offset
		}
	})
	return nil
}
