package sarif

// The parts of the format that are written (section 3).

type sarifLog struct {
	Schema  string `json:"$schema"`
	Version string `json:"version"`
	Runs    []run  `json:"runs"`
}

type run struct {
	Tool    tool                        `json:"tool"`
	Bases   map[string]artifactLocation `json:"originalUriBaseIds"`
	Results []result                    `json:"results"`
}

type tool struct {
	Driver component `json:"driver"`
}

type component struct {
	Name           string `json:"name"`
	Version        string `json:"version"`
	InformationURI string `json:"informationUri"`
	Rules          []rule `json:"rules"`
}

type rule struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Short      text       `json:"shortDescription"`
	Full       text       `json:"fullDescription"`
	Help       text       `json:"help"`
	Default    defaults   `json:"defaultConfiguration"`
	Properties properties `json:"properties"`
}

type defaults struct {
	Level string `json:"level"`
}

// properties are those of a rule that code hosts heed.
type properties struct {
	Tags     []string `json:"tags"`
	Severity string   `json:"problem.severity"`
}

type text struct {
	Text string `json:"text"`
}

type result struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Level        string            `json:"level"`
	Message      text              `json:"message"`
	Locations    []location        `json:"locations"`
	CodeFlows    []codeFlow        `json:"codeFlows,omitempty"`
	Related      []location        `json:"relatedLocations,omitempty"`
	Fingerprints map[string]string `json:"partialFingerprints"`
	Suppressions []suppression     `json:"suppressions,omitempty"`
}

type suppression struct {
	Kind          string `json:"kind"`
	Status        string `json:"status"`
	Justification string `json:"justification"`
}

type location struct {
	ID       int               `json:"id,omitempty"` // of a related one, from 1 on
	Physical *physicalLocation `json:"physicalLocation"`
	Logical  []logicalLocation `json:"logicalLocations,omitempty"`
	Message  *text             `json:"message,omitempty"`
}

type physicalLocation struct {
	Artifact artifactLocation `json:"artifactLocation"`
	Region   region           `json:"region"`
}

type artifactLocation struct {
	URI         string `json:"uri,omitempty"`
	Base        string `json:"uriBaseId,omitempty"`
	Description *text  `json:"description,omitempty"`
}

type region struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn"`
	EndLine     int `json:"endLine"`
	EndColumn   int `json:"endColumn"`
}

type logicalLocation struct {
	Name     string `json:"name"`
	FullName string `json:"fullyQualifiedName"`
	Kind     string `json:"kind"`
}

type codeFlow struct {
	Message text         `json:"message"`
	Threads []threadFlow `json:"threadFlows"`
}

type threadFlow struct {
	Locations []threadFlowLocation `json:"locations"`
}

type threadFlowLocation struct {
	Location location `json:"location"`
}
