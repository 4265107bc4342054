package nixdb

// values are the columns of a row, as they are stored (fileformat2.html, 2.1).
type values []value

type value struct {
	typ  int64 // the serial type
	data []byte
}

const maxColumns = 32 // the widest table of Nix has nine

// parseValues reads the columns of a row, the first of them where there are many.
func parseValues(row []byte) (values, bool) {
	size, n := varint(row)
	if n == 0 || size < int64(n) || size > int64(len(row)) {
		return nil, false
	}
	types, data := row[n:size], row[size:]
	var v values
	for len(types) > 0 && len(v) < maxColumns {
		typ, n := varint(types)
		length := storedLength(typ)
		if n == 0 || length < 0 || length > int64(len(data)) {
			return nil, false
		}
		v = append(v, value{typ, data[:length]})
		types, data = types[n:], data[length:]
	}
	return v, true
}

// storedLength is the length of a value of a serial type, in bytes; negative where there is no such type.
func storedLength(typ int64) int64 {
	switch {
	case typ >= 12:
		return (typ - 12) / 2
	case typ < 0 || typ == 10 || typ == 11:
		return -1
	}
	return [...]int64{0, 1, 2, 3, 4, 6, 8, 8, 0, 0}[typ]
}

// text is a column that is text.
func (v values) text(column int) (string, bool) {
	if column >= len(v) || v[column].typ < 13 || v[column].typ%2 == 0 {
		return "", false
	}
	return string(v[column].data), true
}

// int is a column that is an integer.
func (v values) int(column int) (int64, bool) {
	const zero, one, float = 8, 9, 7 // serial types
	if column >= len(v) {
		return 0, false
	}
	switch typ := v[column].typ; {
	case typ == zero || typ == one:
		return typ - zero, true
	case typ < 1 || typ >= float:
		return 0, false
	}
	n := int64(int8(v[column].data[0]))
	for _, b := range v[column].data[1:] {
		n = n<<8 | int64(b)
	}
	return n, true
}
