// The header, the title, the tabs, the run, and the texts of index.html.

export const PAGE = {
  // the header
  "What is shown": "Những gì đang hiển thị",
  "Example": "Ví dụ",
  "Prompt": "Prompt",
  "Layer": "Lớp",
  "Head": "Đầu",
  "Query": "Truy vấn",
  "Colour": "Màu",
  "0 to 1": "0 đến 1",
  "row maximum": "theo hàng",
  "logarithmic": "logarit",
  "Language": "Ngôn ngữ",
  "Light or dark": "Sáng hoặc tối",
  "worked examples": "ví dụ giải sẵn",
  "Lesson": "Bài học",
  "Training step; space plays": "Bước huấn luyện; phím cách để chạy",
  "Play the training": "Chạy quá trình huấn luyện",
  "Pause": "Tạm dừng",
  "step {step}": "bước {step}",
  "loss: {losses}": "loss: {losses}",
  "train {loss}": "luyện {loss}",
  "train {loss} (step {step})": "luyện {loss} (bước {step})",
  "val {loss}": "kiểm {loss}",

  // the title
  "Attention by example": "Attention qua ví dụ",
  "{name}: attention": "{name}: attention",
  "How “{name}” learned to pay attention": "“{name}” đã học cách chú ý như thế nào",
  "What “{name}” pays attention to": "“{name}” chú ý đến điều gì",
  "Attention small enough to follow by hand: worked examples, computed by the code that trains the models.":
    "Attention đủ nhỏ để tính theo bằng tay: các ví dụ giải sẵn, do chính mã nguồn huấn luyện mô hình tính ra.",
  "{count} million": "{count} triệu",
  "{count} parameters": "{count} tham số",
  "one layer": "một lớp",
  "{count} layers": "{count} lớp",
  "one attention head in each": "mỗi lớp một đầu attention",
  "{count} attention heads in each": "mỗi lớp {count} đầu attention",
  "“{name}” is a language model ({shape}, {each}) that {learned}.": "“{name}” là một mô hình ngôn ngữ ({shape}, {each}) {learned}.",
  "“{name}” is a language model ({shape}, {each}), shown as it came.": "“{name}” là một mô hình ngôn ngữ ({shape}, {each}), hiển thị nguyên như khi nhận về.",
  "has not learned anything yet": "chưa học được gì",
  "learned to write in {steps} steps of training": "đã học viết qua {steps} bước huấn luyện",
  "{documents} made-up stories ({size})": "{documents} truyện tự sinh ({size})",
  "{size} of text, {source},": "{size} văn bản, {source},",
  "learned to write from {text} in {steps} steps of training": "đã học viết từ {text} qua {steps} bước huấn luyện",
  "A head decides for each token at which others it looks: choose one, and see every number of it.":
    "Với mỗi token, một đầu attention quyết định nhìn vào những token nào: hãy chọn một đầu để xem từng con số của nó.",
  "This page shows at which tokens each head looks, from the untrained model (the slider at its left end) to the trained one, and has the model read what you type.":
    "Trang này cho thấy mỗi đầu attention nhìn vào những token nào, từ mô hình chưa huấn luyện (thanh trượt ở đầu bên trái) đến mô hình đã huấn luyện, và cho mô hình đọc những gì bạn gõ.",
  "This page shows at which tokens each head looks, from the untrained model (the slider at its left end) to the trained one.":
    "Trang này cho thấy mỗi đầu attention nhìn vào những token nào, từ mô hình chưa huấn luyện (thanh trượt ở đầu bên trái) đến mô hình đã huấn luyện.",
  "Nothing is known here of how it was trained; this page shows at which tokens each head looks, and has the model read what you type.":
    "Ở đây không biết mô hình được huấn luyện ra sao; trang này cho thấy mỗi đầu attention nhìn vào những token nào, và cho mô hình đọc những gì bạn gõ.",
  "Nothing is known here of how it was trained; this page shows at which tokens each head looks.":
    "Ở đây không biết mô hình được huấn luyện ra sao; trang này cho thấy mỗi đầu attention nhìn vào những token nào.",

  // the tabs
  "More about this head and this model": "Thêm về đầu attention này và mô hình này",
  "Every number": "Từng con số",
  "How heads formed": "Các đầu hình thành ra sao",
  "What matters": "Điều gì quan trọng",
  "Swap": "Hoán đổi",
  "Compare": "So sánh",
  "The run": "Lần huấn luyện",
  "The model": "Mô hình",
  "Words": "Thuật ngữ",

  // the run
  "Loss, nats per token": "Mất mát, nat mỗi token",
  "Loss, nats per story": "Mất mát, nat mỗi truyện",
  "training": "huấn luyện",
  "validation": "kiểm định",
  "validation stories": "truyện kiểm định",
  "{name}; left and right read the values": "{name}; phím trái và phải để đọc các giá trị",
  "floor {loss}": "mức sàn {loss}",
  "{name} {loss} at step {step}": "{name} {loss} ở bước {step}",
  "The floor is the lowest loss that any model can have, on average: the stories are drawn from a grammar whose probabilities are known.":
    "Mức sàn là mất mát trung bình thấp nhất mà một mô hình có thể đạt được: các truyện được sinh từ một văn phạm với xác suất đã biết.",
  "No samples were recorded.": "Không có mẫu nào được ghi lại.",
  "part": "phần",
  "parameters": "tham số",
  "share": "tỉ lệ",
  "in all": "tổng cộng",
  "The loss is the surprise at what comes next, −ln of the probability that it was given. Point at a curve to read it; click to go to a step. Steps and losses are spaced by their logarithm.":
    "Mất mát (loss) là độ bất ngờ trước token tiếp theo: −ln của xác suất đã dành cho nó. Trỏ vào một đường cong để đọc; nhấp để đến một bước. Bước và mất mát được chia theo thang logarit.",
  "What is known of it: its shape, in the words of a configuration of glassgpt, and where its parameters are.":
    "Những gì biết được về nó: kiến trúc, viết theo cấu hình của glassgpt, và các tham số nằm ở đâu.",
  "What it wrote as it learned": "Nó đã viết gì trong lúc học",
  "Its configuration": "Cấu hình",
  "Its parameters, part by part": "Các tham số, từng phần một",

  // what matters
  "What it predicts, and which heads matter": "Nó dự đoán gì, và những đầu nào quan trọng",
  "At each position the model gives every token of its vocabulary a probability of coming next.":
    "Tại mỗi vị trí, mô hình cho mỗi token trong bộ từ vựng một xác suất được xuất hiện tiếp theo.",
  "Choose a position: the rest of this section is about it, at the training step that is shown.":
    "Hãy chọn một vị trí: phần còn lại của mục này nói về nó, ở bước huấn luyện đang xem.",
  "Choose a position: the rest of this section is about it.": "Hãy chọn một vị trí: phần còn lại của mục này nói về nó.",
  "How a prediction forms, layer by layer": "Dự đoán hình thành qua từng lớp",
  "The <dfn data-term=\"logit lens\">logit lens</dfn> (nostalgebraist 2020) reads the <dfn data-term=\"stream\">stream</dfn> at a position after each layer as if the model ended there: the last row is its actual prediction. It is not a list of thoughts: what later layers need may already be there in a form that this reading cannot show. A cell is shaded by the probability of its token, and underlined where that token is the true next one.":
    "<dfn data-term=\"logit lens\">Thấu kính logit</dfn> (logit lens, nostalgebraist 2020) đọc <dfn data-term=\"stream\">dòng dư</dfn> (residual stream) tại một vị trí sau mỗi lớp, như thể mô hình kết thúc ở đó: hàng cuối là dự đoán thật. Đây không phải danh sách các suy nghĩ: điều mà các lớp sau cần có thể đã có sẵn, dưới một dạng mà cách đọc này không thấy được. Ô đậm nhạt theo xác suất của token, và được gạch chân khi token đó đúng là token tiếp theo.",
  "Which heads matter": "Những đầu nào quan trọng",
  "Blue works for the token in question, orange against it. The two measures differ: attribution counts only what a part itself writes into the <dfn data-term=\"logit\">logits</dfn>, with the scale of the final <dfn data-term=\"norm\">norm</dfn> held fixed; ablation also breaks what later parts made of it, and later heads can make up for what is missing (<dfn data-term=\"self-repair\">self-repair</dfn>).":
    "Màu xanh ủng hộ token đang xét, màu cam chống lại nó. Hai phép đo khác nhau: đóng góp (attribution) chỉ tính những gì chính một phần viết vào các <dfn data-term=\"logit\">logit</dfn>, khi giữ cố định tỉ lệ của phép <dfn data-term=\"norm\">chuẩn hóa</dfn> cuối; cắt bỏ (ablation) còn làm hỏng cả những gì các phần sau dựng lên từ đó, và các đầu sau có thể bù lại phần bị thiếu (<dfn data-term=\"self-repair\">tự bù</dfn>).",

  // compare
  "Two views side by side": "Hai góc nhìn cạnh nhau",
  "Keep a view as A, go on to another, and see what A’s head does more, or less, than B’s: cell by cell and in the measures.":
    "Giữ một góc nhìn làm A, chuyển sang góc nhìn khác, và xem đầu của A làm nhiều hơn hay ít hơn đầu của B những gì: từng ô một và theo các chỉ số.",
  "With two runs (<code>view.py RUN SECOND</code>) the second one’s prompts are among the prompts, named after it.":
    "Với hai lần huấn luyện (<code>view.py RUN SECOND</code>), các prompt của lần thứ hai cũng có trong danh sách prompt, mang tên của nó.",

  // words
  "Reading with care": "Đọc một cách cẩn trọng",
  "A position is not a word.": "Một vị trí không phải là một từ.",
  "A token is often a piece of a word, and by the middle layers its position holds what was gathered from others: a weight on it says which position was read, not which word was meant.":
    "Một token thường chỉ là một mảnh của từ, và đến các lớp giữa thì vị trí của nó đã chứa những gì gom được từ các vị trí khác: trọng số đặt vào đó cho biết vị trí nào được đọc, chứ không phải từ nào được nghĩ đến.",
  "Why does everything look at the first token?": "Vì sao mọi thứ đều nhìn vào token đầu tiên?",
  "A row has to add up to 1 even where there is nothing to fetch. Many heads put the rest on the first position, an attention <dfn data-term=\"sink\">sink</dfn>, and often take next to nothing from there.":
    "Mỗi hàng phải có tổng bằng 1, ngay cả khi không có gì để lấy. Nhiều đầu dồn phần thừa vào vị trí đầu tiên, một <dfn data-term=\"sink\">điểm hút</dfn> (attention sink), và thường hầu như không lấy gì từ đó.",
  "Attention is not explanation.": "Attention không phải là lời giải thích.",
  "A map shows what was read, not what it was used for. A large weight on a small value moves little, and other paths through the model may carry the same information.":
    "Bản đồ cho thấy cái gì được đọc, không cho thấy nó được dùng để làm gì. Trọng số lớn đặt lên một giá trị nhỏ chẳng thay đổi bao nhiêu, và những con đường khác trong mô hình có thể mang cùng thông tin đó.",
  "<a href=\"#lesson\">The lesson</a>: attention in nine chapters, with something to touch in each. How to read this page: <code>docs/explorer.md</code>.":
    "<a href=\"#lesson\">Bài học</a>: attention trong chín chương, chương nào cũng có thứ để chạm vào. Cách đọc trang này: <code>docs/explorer.md</code>.",
  "Attention small enough to follow by hand, in eight worked examples: <code>python view.py --example</code>.":
    "Attention đủ nhỏ để tính theo bằng tay, trong tám ví dụ giải sẵn: <code>python view.py --example</code>.",
  "What is measured": "Những gì được đo",
  "The mean weight that a position gives to the one just before it: from position 1 on, or, where a recorded prompt repeats random tokens, as in a song, in their first occurrence, where only the position can lead there. It shows where the head looks, not whether it takes anything from there.":
    "Trọng số trung bình mà một vị trí dành cho vị trí ngay trước nó: tính từ vị trí 1, hoặc, khi prompt đã ghi lặp lại các token ngẫu nhiên như trong một bài hát, thì tính ở lần xuất hiện đầu, nơi chỉ có vị trí mới dẫn được đến đó. Nó cho biết đầu attention nhìn vào đâu, không cho biết nó có lấy gì từ đó hay không.",
  "The mean weight on position 0, from position 1 on. High means an attention sink, not that the first token matters.":
    "Trọng số trung bình đặt vào vị trí 0, tính từ vị trí 1. Cao nghĩa là có điểm hút (attention sink), không có nghĩa là token đầu tiên quan trọng.",
  "Where tokens come again in the same order, as in a song, or the longest run of three or more in a text that you type: the mean weight from the second occurrence on the same token in the first. Random tokens leave nothing else to go by; in a text the head may do something else.":
    "Khi các token lặp lại theo đúng thứ tự, như trong một bài hát, hoặc đoạn dài nhất từ ba token trở lên trong văn bản bạn gõ: trọng số trung bình từ lần xuất hiện thứ hai đặt vào chính token đó ở lần đầu. Với token ngẫu nhiên thì không còn gì khác để dựa vào; trong một văn bản, đầu attention có thể đang làm việc khác.",
  "On the same tokens: the mean weight from the second occurrence on the token that came next in the first, which is the one to predict. Where a text repeats nothing, this score and the one above are taken from a prompt that does.":
    "Trên cùng các token đó: trọng số trung bình từ lần xuất hiện thứ hai đặt vào token đứng ngay sau ở lần đầu, chính là token cần đoán. Khi văn bản không lặp lại gì, chỉ số này và chỉ số trên được lấy từ một prompt có lặp lại.",
  "How spread out a row is, as a share of its maximum: 0 looks at one position, 1 at all equally. A sharp head is not an important one: a sink is as sharp as can be.":
    "Một hàng trải rộng đến mức nào, so với mức tối đa: 0 là chỉ nhìn một vị trí, 1 là nhìn đều mọi vị trí. Đầu sắc nét không hẳn là đầu quan trọng: điểm hút là thứ sắc nét nhất.",
  "How many positions back the head looks, on average. A head that looks at both ends scores like one that looks at the middle, and all heads score more on a longer prompt.":
    "Trung bình đầu attention nhìn lùi lại bao nhiêu vị trí. Đầu nhìn vào cả hai mút có cùng giá trị với đầu nhìn vào giữa, và prompt càng dài thì mọi đầu càng có giá trị lớn.",
  "Precision: the first and the last step carry the weights, and all that they are computed from, to six decimals; the steps between carry the weights to three, finer than 8 bits, so that each printed weight is the file’s own, rounded. Predictions, logit lens, attribution and ablation carry three decimals at every step; a sum adds up the numbers as they are carried, so its last digit can be off.":
    "Độ chính xác: bước đầu và bước cuối mang trọng số, cùng mọi thứ để tính ra chúng, đến sáu chữ số thập phân; các bước ở giữa mang trọng số đến ba chữ số, mịn hơn 8 bit, nên mỗi trọng số in ra đúng là số trong tệp đã làm tròn. Dự đoán, thấu kính logit, đóng góp và cắt bỏ có ba chữ số thập phân ở mọi bước; mỗi tổng cộng các số đúng như trang mang theo, nên chữ số cuối có thể lệch.",
  "Precision: the page carries the weights, and all that they are computed from, to six decimals. Predictions, logit lens, attribution and ablation carry three; a sum adds up the numbers as they are carried, so its last digit can be off.":
    "Độ chính xác: trang mang trọng số, cùng mọi thứ để tính ra chúng, đến sáu chữ số thập phân. Dự đoán, thấu kính logit, đóng góp và cắt bỏ có ba chữ số; mỗi tổng cộng các số đúng như trang mang theo, nên chữ số cuối có thể lệch.",
  "Precision: the page carries the weights, and all that they are computed from, to six decimals. A sum adds up the numbers as they are carried, so its last digit can be off.":
    "Độ chính xác: trang mang trọng số, cùng mọi thứ để tính ra chúng, đến sáu chữ số thập phân. Mỗi tổng cộng các số đúng như trang mang theo, nên chữ số cuối có thể lệch.",
};
