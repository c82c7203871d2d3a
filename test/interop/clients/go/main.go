// A session of nats.go at the URL of the first argument; the second names a file of authorities, or is missing. Prints what came of it,
// as JSON.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	many     = 1000
	patience = time.Minute
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func connect() *nats.Conn {
	options := []nats.Option{nats.NoReconnect(), nats.Timeout(patience)}
	if len(os.Args) > 2 {
		options = append(options, nats.RootCAs(os.Args[2]))
	}
	// Compression is what nats.go can do over WebSocket, and the others cannot.
	options = append(options, nats.Compression(true))
	nc, err := nats.Connect(os.Args[1], options...)
	check(err)
	return nc
}

func plain(publisher, client *nats.Conn, seen map[string]any) {
	sub, err := client.SubscribeSync("many.*")
	check(err)
	check(client.Flush())
	for i := range many {
		check(publisher.Publish(fmt.Sprintf("many.%d", i%7), []byte(strconv.Itoa(i))))
	}
	inOrder := true
	for i := range many {
		msg, err := sub.NextMsg(patience)
		check(err)
		inOrder = inOrder && string(msg.Data) == strconv.Itoa(i)
	}
	seen["in order"] = inOrder
	_, err = client.QueueSubscribe("ask", "helpers", func(msg *nats.Msg) {
		check(msg.Respond([]byte(string(msg.Data) + " heard by " + msg.Header.Get("Who"))))
	})
	check(err)
	large, err := client.SubscribeSync("large")
	check(err)
	check(client.Flush())
	reply, err := publisher.RequestMsg(&nats.Msg{Subject: "ask", Data: []byte("question"), Header: nats.Header{"Who": {"go"}}}, patience)
	check(err)
	seen["reply"] = string(reply.Data)
	body := bytes.Repeat([]byte("large "), 150_000)
	check(publisher.Publish("large", body))
	msg, err := large.NextMsg(patience)
	check(err)
	seen["large"] = bytes.Equal(msg.Data, body)
	if _, err = publisher.Request("nobody", nil, patience); errors.Is(err, nats.ErrNoResponders) {
		seen["nobody"] = "no responders"
	}
}

func streams(publisher *nats.Conn, seen map[string]any) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	js, err := jetstream.New(publisher)
	check(err)
	stream, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "GO", Subjects: []string{"go.>"}})
	check(err)
	for i := range 3 {
		_, err = js.Publish(ctx, fmt.Sprintf("go.%d", i), []byte(strconv.Itoa(i)))
		check(err)
	}
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{Durable: "puller", AckPolicy: jetstream.AckExplicitPolicy})
	check(err)
	batch, err := consumer.Fetch(3, jetstream.FetchMaxWait(patience/2))
	check(err)
	pulled := []string{}
	for msg := range batch.Messages() {
		check(msg.DoubleAck(ctx))
		pulled = append(pulled, string(msg.Data()))
	}
	seen["pulled"] = pulled
	bucket, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "go"})
	check(err)
	watcher, err := bucket.Watch(ctx, "color")
	check(err)
	_, err = bucket.Put(ctx, "color", []byte("blue"))
	check(err)
	entry, err := bucket.Get(ctx, "color")
	check(err)
	seen["value"] = string(entry.Value())
	for update := range watcher.Updates() {
		if update != nil {
			seen["watched"] = []string{string(update.Value())}
			break
		}
	}
	check(js.DeleteStream(ctx, "GO"))
	check(js.DeleteKeyValue(ctx, "go"))
}

func main() {
	publisher, client := connect(), connect()
	seen := map[string]any{}
	plain(publisher, client, seen)
	streams(publisher, seen)
	check(client.Drain())
	publisher.Close()
	check(json.NewEncoder(os.Stdout).Encode(seen))
}
