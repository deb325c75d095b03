package liqmon

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

type conformance struct {
	KeyFile string `json:"key_file"`
	Cases   []struct {
		Name          string
		Keys          bool
		AllowUnsigned bool  `json:"allow_unsigned"`
		NowUS         int64 `json:"now_us"`
		Messages      []struct {
			Topic     string
			Partition int32
			Offset    int64
			Key       []byte
			Value     *[]byte
			Headers   [][2]any
		}
		Expect []string
	}
}

func TestConformance(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "conformance.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all conformance
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("# keys\n\n"+all.KeyFile+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := ReadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all.Cases {
		t.Run(one.Name, func(t *testing.T) {
			asked := keys
			if !one.Keys {
				asked = nil
			}
			screen := NewScreen(asked, one.AllowUnsigned)
			for index, given := range one.Messages {
				message := Message{Topic: given.Topic, Partition: given.Partition, Offset: given.Offset, Key: given.Key}
				if given.Value != nil {
					message.Value = *given.Value
				}
				for _, header := range given.Headers {
					var value []byte
					quoted, _ := json.Marshal(header[1])
					if err := json.Unmarshal(quoted, &value); err != nil {
						t.Fatal(err)
					}
					message.Headers = append(message.Headers, Header{header[0].(string), value})
				}
				verdict := "delivered"
				if _, refusal := screen.Judge(message, one.NowUS); refusal != nil {
					verdict = string(refusal.Reason)
				}
				if verdict != one.Expect[index] {
					t.Errorf("message %d: %s, expected %s", index, verdict, one.Expect[index])
				}
			}
		})
	}
}
