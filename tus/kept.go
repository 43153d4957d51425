package tus

import "container/list"

// keptTail is a tail that is in the store, and still here.
type keptTail struct {
	key  string
	body buffer
}

// keep remembers the bytes of a tail, which were leaving, until they are needed or the
// memory is: the next request will often make a part of them. A tail's key stands for
// its bytes and never for others, so what is kept can't be out of date.
func (m *memory) keep(key string, body buffer) {
	m.mu.Lock()
	m.leaving -= body.held
	m.kept[key] = m.keeping.PushBack(&keptTail{key, body})
	m.wake()
	m.mu.Unlock()
}

// recall takes the bytes of a tail out of those kept, if they are there. They are
// leaving again.
func (m *memory) recall(key string) (buffer, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	place, there := m.kept[key]
	if !there {
		return buffer{}, false
	}
	delete(m.kept, key)
	body := m.keeping.Remove(place).(*keptTail).body
	m.leaving += body.held
	return body, true
}

// forget throws the bytes of a tail away.
func (m *memory) forget(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if place, there := m.kept[key]; there {
		m.evict(place)
		m.wake()
	}
}

func (m *memory) evict(place *list.Element) {
	t := m.keeping.Remove(place).(*keptTail)
	delete(m.kept, t.key)
	m.used -= t.body.held
	t.body.recycle()
}
