// A receiver of SwiftClaw's webhooks in Go, with nothing but net/http.
//
//	export SWIFTCLAW_WEBHOOK_SECRET=scsec_...   # swiftclaw webhooks secret my-agent webhook-123 --env
//	go run receiver.go                          # http://127.0.0.1:3000/webhooks/swiftclaw
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync"
)

const largestBody = 5 << 20

// Event is what SwiftClaw announces.
type Event struct {
	ID      string          `json:"id"`
	Type    string          `json:"type"`
	Created int64           `json:"created"`
	Data    json.RawMessage `json:"data"`
}

// Do your work. Whatever error it returns is answered 500, and SwiftClaw sends the event again.
func processEvent(event Event) error {
	fmt.Println("processed", event.ID, event.Type)
	return nil
}

var secret = os.Getenv("SWIFTCLAW_WEBHOOK_SECRET")

// Kept in this process, until it ends. With several, or to last: a table of your database, the id its unique key.
var (
	mutex     sync.Mutex
	processed = map[string]bool{}
	working   = map[string]*work{}
)

type work struct {
	done chan struct{}
	err  error
}

func handleWebhook(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		answer(w, http.StatusMethodNotAllowed, "error", "POST only")
		return
	}
	payload, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largestBody)) // the raw bytes, which the signature covers
	if err != nil {
		answer(w, http.StatusRequestEntityTooLarge, "error", "Cannot read the body")
		return
	}
	if !verifyWebhook(payload, r.Header.Get("X-SwiftClaw-Signature"), secret) {
		answer(w, http.StatusUnauthorized, "error", "Invalid signature")
		return
	}
	var event Event
	if err := json.Unmarshal(payload, &event); err != nil {
		answer(w, http.StatusBadRequest, "error", "Invalid JSON")
		return
	}
	if event.ID == "" {
		answer(w, http.StatusBadRequest, "error", "Invalid event")
		return
	}
	status, err := processOnce(event)
	if err != nil {
		log.Printf("Processing %s failed: %v", event.ID, err)
		answer(w, http.StatusInternalServerError, "error", "Processing failed")
		return
	}
	answer(w, http.StatusOK, "status", status)
}

func verifyWebhook(payload []byte, signature, secret string) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(payload)
	expected := hex.EncodeToString(mac.Sum(nil))
	return hmac.Equal([]byte(signature), []byte(expected)) // of any length, in constant time
}

// The page checks, processes, then marks: copies that arrive at once would all pass its check. Here they share one processing.
func processOnce(event Event) (string, error) {
	mutex.Lock()
	if processed[event.ID] {
		mutex.Unlock()
		return "already_processed", nil
	}
	if other, ok := working[event.ID]; ok {
		mutex.Unlock()
		<-other.done
		return "already_processed", other.err
	}
	own := &work{done: make(chan struct{})}
	working[event.ID] = own
	mutex.Unlock()

	own.err = caught(event)

	mutex.Lock()
	defer mutex.Unlock()
	processed[event.ID] = own.err == nil // after a failure, the next copy does the work
	delete(working, event.ID)
	close(own.done)
	return "processed", own.err
}

// A panic becomes an error: the copies that wait must hear of it.
func caught(event Event) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
	}()
	return processEvent(event)
}

func answer(w http.ResponseWriter, status int, key, value string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{key: value})
}

func main() {
	if secret == "" {
		log.Fatal("SWIFTCLAW_WEBHOOK_SECRET is not set")
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "3000"
	}
	http.HandleFunc("/webhooks/swiftclaw", handleWebhook)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+port, nil))
}
