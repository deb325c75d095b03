// Command liqmon-events prints margin calls and liquidations as JSON, one a line; counts of what was refused at the end.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	liqmon "liquidation-monitor/clients/go"
)

type options struct {
	broker, prefix, keys                      string
	allowUnsigned, untilEnd, replay, insecure bool
}

type line struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Offset    int64   `json:"offset"`
	ID        string  `json:"id"`
	Kind      string  `json:"kind"`
	Account   string  `json:"account"`
	Shortfall float64 `json:"shortfall_usd"`
	Epoch     int64   `json:"epoch"`
	SignedBy  *string `json:"signed_by"`
	Digest    string  `json:"digest"`
}

func main() {
	var given options
	flag.StringVar(&given.broker, "broker", "127.0.0.1:9092", "host:port[,host:port...]")
	flag.StringVar(&given.prefix, "prefix", "", "in front of each topic name")
	flag.StringVar(&given.keys, "keys", "", "key file; without it no signature is looked at")
	flag.BoolVar(&given.allowUnsigned, "allow-unsigned", false, "let unsigned events pass, wrongly signed ones never")
	flag.BoolVar(&given.untilEnd, "until-end", false, "stop where the topics end now")
	flag.BoolVar(&given.replay, "replay", false, "take a replay of history for valid")
	flag.BoolVar(&given.insecure, "insecure", false, "allow plain text to another machine")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, given); err != nil {
		fmt.Fprintln(os.Stderr, "liqmon-events:", err)
		os.Exit(3)
	}
}

func run(ctx context.Context, given options) error {
	brokers := strings.Split(given.broker, ",")
	protected, err := protection(brokers, given.insecure)
	if err != nil {
		return err
	}
	var keys liqmon.Keys
	if given.keys != "" {
		found, err := liqmon.ReadKeys(given.keys)
		if err != nil {
			return err
		}
		keys = found
	}
	var topics []string
	for topic := range liqmon.Topics {
		topics = append(topics, given.prefix+topic)
	}
	client, err := kgo.NewClient(append(
		protected,
		kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topics...), kgo.ClientID("liqmon-events"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)...)
	if err != nil {
		return err
	}
	defer client.Close()
	looking, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	ends, err := kadm.NewClient(client).ListEndOffsets(looking, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return err
	}
	left := map[string]bool{} // partitions that are not at their end yet
	ends.Each(func(end kadm.ListedOffset) {
		if end.Offset > 0 {
			left[at(end.Topic, end.Partition)] = true
		}
	})
	screen, counts := liqmon.NewScreen(keys, given.allowUnsigned), map[string]int{}
	out := json.NewEncoder(os.Stdout)
	for ctx.Err() == nil && !(given.untilEnd && len(left) == 0) {
		fetched := client.PollFetches(ctx)
		if failed := fetched.Errors(); len(failed) > 0 && ctx.Err() == nil {
			return failed[0].Err // what can be tried again, the client has tried
		}
		fetched.EachRecord(func(record *kgo.Record) {
			take(screen, counts, out, record, given)
			if end, known := ends.Lookup(record.Topic, record.Partition); known && record.Offset >= end.Offset-1 {
				delete(left, at(record.Topic, record.Partition))
			}
		})
	}
	return json.NewEncoder(os.Stderr).Encode(counts)
}

func at(topic string, partition int32) string { return fmt.Sprintf("%s/%d", topic, partition) }

func take(screen *liqmon.Screen, counts map[string]int, out *json.Encoder, record *kgo.Record, given options) {
	message := liqmon.Message{
		Topic: strings.TrimPrefix(record.Topic, given.prefix), Partition: record.Partition, Offset: record.Offset,
		Key: record.Key, Value: record.Value,
	}
	for _, header := range record.Headers {
		message.Headers = append(message.Headers, liqmon.Header{Name: header.Key, Value: header.Value})
	}
	now := time.Now().UnixMicro()
	if given.replay {
		now = 0
	}
	alert, refusal := screen.Judge(message, now)
	if refusal != nil {
		counts[string(refusal.Reason)]++
		return
	}
	counts["delivered"]++
	var signer *string
	if alert.SignedBy != "" {
		signer = &alert.SignedBy
	}
	event := alert.Event
	_ = out.Encode(line{
		message.Topic, message.Partition, message.Offset, event.ID, event.Kind, event.Account, event.ShortfallUSD,
		alert.Epoch, signer, alert.Digest,
	})
}
