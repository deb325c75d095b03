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

	liqmon "liquidation-monitor/clients/go"
)

type options struct {
	broker, prefix, group, keys               string
	limit                                     int
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
	flag.StringVar(&given.group, "group", "", "consumer group to go on in, <prefix>bot-...; without it from the beginning")
	flag.StringVar(&given.keys, "keys", "", "key file; without it no signature is looked at")
	flag.IntVar(&given.limit, "limit", 0, "stop after so many events; 0: never")
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
	settings := liqmon.Options{
		Brokers: brokers, Prefix: given.prefix, Group: given.group, AllowUnsigned: given.allowUnsigned,
		UntilEnd: given.untilEnd, Client: protected,
	}
	if given.keys != "" {
		if settings.Keys, err = liqmon.ReadKeys(given.keys); err != nil {
			return err
		}
	}
	if given.replay {
		settings.NowUS = func() int64 { return 0 }
	}
	subscription, err := liqmon.Subscribe(ctx, settings)
	if err != nil {
		return err
	}
	defer subscription.Close()
	out := json.NewEncoder(os.Stdout)
	err = subscription.Run(ctx, func(alert liqmon.Alert) error {
		if err := print(out, alert); err != nil {
			return err
		}
		if subscription.Counts["delivered"] == given.limit {
			return liqmon.ErrEnough
		}
		return nil
	})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stderr).Encode(subscription.Counts)
}

func print(out *json.Encoder, alert liqmon.Alert) error {
	var signer *string
	if alert.SignedBy != "" {
		signer = &alert.SignedBy
	}
	event, message := alert.Event, alert.Message
	return out.Encode(line{
		message.Topic, message.Partition, message.Offset, event.ID, event.Kind, event.Account, event.ShortfallUSD,
		alert.Epoch, signer, alert.Digest,
	})
}
