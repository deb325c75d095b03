// Package liqmon reads the liquidation monitor's event topics: which messages a bot may act on.
package liqmon

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Topics that are read, by the kinds of event that belong on them.
var Topics = map[string][]string{
	"risk.margin-calls.v1": {"warning", "margin_call", "recovered", "resolved"},
	"risk.liquidations.v1": {"liquidation", "bankrupt", "data_hold"},
}

const (
	schema = "urn:liquidation-monitor:schema:account_event:1"
	// Window is how many ids are remembered.
	Window   = 65_536
	maxBytes = 1_000_000
)

// Reason is why a message is not acted on; docs/clients.md explains each.
type Reason string

// The reasons, in the order in which they are looked for.
const (
	Unsigned       Reason = "unsigned"
	UnknownKey     Reason = "unknown_key"
	Tampered       Reason = "tampered"
	Malformed      Reason = "malformed"
	UnknownVersion Reason = "unknown_version"
	Contradictory  Reason = "contradictory"
	StaleEpoch     Reason = "stale_epoch"
	Repeated       Reason = "repeated"
	TwoContents    Reason = "two_contents"
	Expired        Reason = "expired"
)

// Header is one header of a message.
type Header struct {
	Name  string
	Value []byte
}

// Message is one message as Kafka gave it; Topic is without a deployment's prefix, and nil is Kafka's null.
type Message struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       []byte
	Value     []byte
	Headers   []Header
}

// Alert is an event to act on.
type Alert struct {
	Event    AccountEvent
	Epoch    int64
	SignedBy string // empty: nobody was asked, or nobody signed
	Digest   string // SHA-256 of the body, hex
	Message  Message
}

// Refusal is a message that is not acted on.
type Refusal struct {
	Reason Reason
	Text   string
}

type refused = Refusal

func refuse(reason Reason, text string) *refused { return &refused{reason, text} }

type place struct {
	topic     string
	partition int32
}

type seen struct {
	id     string
	digest [sha256.Size]byte
}

// Screen judges messages one after the other, each partition in its order. It is not for several goroutines.
type Screen struct {
	keys          Keys
	allowUnsigned bool
	window        int
	epochs        map[place]int64
	known         map[string]*list.Element
	order         *list.List
}

// NewScreen returns a screen; without keys no signature is looked at.
func NewScreen(keys Keys, allowUnsigned bool) *Screen {
	return &Screen{keys, allowUnsigned, Window, map[place]int64{}, map[string]*list.Element{}, list.New()}
}

// Judge returns the alert of a message, whose id counts as seen from now on, or why there is none.
func (screen *Screen) Judge(message Message, nowUS int64) (*Alert, *Refusal) {
	signer := ""
	if screen.keys != nil {
		found, wrong := screen.keys.signer(message)
		if wrong != nil && (wrong.Reason != Unsigned || !screen.allowUnsigned) {
			return nil, wrong
		}
		signer = found
	}
	event, epoch, wrong := read(message)
	if wrong != nil {
		return nil, wrong
	}
	at := place{message.Topic, message.Partition}
	if highest, known := screen.epochs[at]; known && epoch < highest {
		return nil, refuse(StaleEpoch, fmt.Sprintf("epoch %d after %d", epoch, highest))
	}
	screen.epochs[at] = epoch
	digest := sha256.Sum256(message.Value)
	if before, known := screen.known[event.ID]; known {
		if before.Value.(seen).digest == digest {
			return nil, refuse(Repeated, event.ID)
		}
		return nil, refuse(TwoContents, event.ID)
	}
	if nowUS > event.ValidUntilUS {
		return nil, refuse(Expired, event.ID)
	}
	screen.known[event.ID] = screen.order.PushBack(seen{event.ID, digest})
	if screen.order.Len() > screen.window {
		oldest := screen.order.Front()
		delete(screen.known, oldest.Value.(seen).id)
		screen.order.Remove(oldest)
	}
	return &Alert{event, epoch, signer, hex.EncodeToString(digest[:]), message}, nil
}

// Seed takes note of a message that was handled before, in another process: its id and epoch count as seen.
func (screen *Screen) Seed(message Message) { _, _ = screen.Judge(message, 0) }

// read decodes headers and body, and requires that they agree.
func read(message Message) (event AccountEvent, epoch int64, wrong *refused) {
	kinds, known := Topics[message.Topic]
	if !known {
		return event, 0, refuse(Contradictory, message.Topic+" carries no account events")
	}
	headers := map[string]string{}
	for _, header := range message.Headers {
		headers[header.Name] = string(header.Value)
	}
	for _, name := range []string{"ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time", "ce_dataschema", "risk-epoch"} {
		if value, there := headers[name]; !there || !utf8.ValidString(value) {
			return event, 0, refuse(Malformed, "header "+name+" is missing or no text")
		}
	}
	at, timeError := time.Parse(time.RFC3339Nano, headers["ce_time"])
	epoch, epochError := strconv.ParseInt(headers["risk-epoch"], 10, 64)
	if headers["ce_specversion"] != "1.0" || timeError != nil || epochError != nil {
		return event, 0, refuse(Malformed, "the headers cannot be read")
	}
	if headers["ce_dataschema"] != schema {
		return event, 0, refuse(UnknownVersion, "schema "+headers["ce_dataschema"])
	}
	if event, wrong = decode(message); wrong != nil {
		return event, 0, wrong
	}
	switch {
	case string(message.Key) != event.Account || headers["ce_subject"] != event.Account,
		headers["ce_id"] != event.ID, headers["ce_type"] != "risk."+event.Kind+".v1", at.UnixMicro() != event.EventTimeUS:
		return event, 0, refuse(Contradictory, "headers, key and body are not of the same event")
	case !slices.Contains(kinds, event.Kind):
		return event, 0, refuse(Contradictory, event.Kind+" does not belong on "+message.Topic)
	case event.ID != identity(event):
		return event, 0, refuse(Contradictory, "the id is not that of account, episode, sequence and kind")
	}
	return event, epoch, nil
}

func decode(message Message) (event AccountEvent, wrong *refused) {
	if message.Key == nil {
		return event, refuse(Contradictory, "there is no key")
	}
	if len(message.Value) > maxBytes || !utf8.Valid(message.Value) {
		return event, refuse(Malformed, "too long, or no text")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(message.Value, &fields); err != nil || fields == nil {
		return event, refuse(Malformed, "no JSON object")
	}
	var version int64
	if err := json.Unmarshal(fields["v"], &version); err == nil && version != 1 {
		return event, refuse(UnknownVersion, fmt.Sprintf("version %d", version))
	}
	if err := json.Unmarshal(message.Value, &event); err != nil {
		return event, refuse(Malformed, err.Error())
	}
	if lacks := missing(reflect.TypeFor[AccountEvent](), message.Value); lacks != "" {
		return event, refuse(Malformed, lacks)
	}
	kinds := slices.Concat(Topics["risk.margin-calls.v1"], Topics["risk.liquidations.v1"])
	if version != 1 || !slices.Contains(kinds, event.Kind) || event.Episode < 0 || event.Sequence < 0 {
		return event, refuse(Malformed, "no account event")
	}
	return event, nil
}

// missing names what a value lacks of its type: encoding/json is content with less.
func missing(kind reflect.Type, raw json.RawMessage) string {
	switch kind.Kind() {
	case reflect.Pointer:
		if len(raw) == 0 || string(raw) == "null" {
			return ""
		}
		return missing(kind.Elem(), raw)
	case reflect.Array, reflect.Slice:
		var items []json.RawMessage
		if kind == reflect.TypeFor[json.RawMessage]() || json.Unmarshal(raw, &items) != nil {
			return ""
		}
		if kind.Kind() == reflect.Array && len(items) != kind.Len() {
			return fmt.Sprintf("%d items, expected %d", len(items), kind.Len())
		}
		for _, item := range items {
			if lacks := missing(kind.Elem(), item); lacks != "" {
				return lacks
			}
		}
	case reflect.Map:
		var values map[string]json.RawMessage
		_ = json.Unmarshal(raw, &values)
		for _, value := range values {
			if lacks := missing(kind.Elem(), value); lacks != "" {
				return lacks
			}
		}
	case reflect.Struct:
		return lacking(kind, raw)
	}
	return ""
}

func lacking(kind reflect.Type, raw json.RawMessage) string {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(raw, &fields)
	for _, name := range Required[kind.Name()] {
		if value, there := fields[name]; !there || string(value) == "null" {
			return kind.Name() + " has no " + name
		}
	}
	for index := range kind.NumField() {
		field := kind.Field(index)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if value, there := fields[name]; there {
			if lacks := missing(field.Type, value); lacks != "" {
				return lacks
			}
		}
	}
	return ""
}

// identity is what the id of an event has to be.
func identity(event AccountEvent) string {
	text, _ := json.Marshal([]any{event.Account, event.Episode, event.Sequence, event.Kind})
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:])[:32]
}
