// Chapter 9: the exercises.

export const LESSON_EXERCISES = {
  "Three exercises": "Ba bài tập",
  "Build an induction head": "Dựng một đầu quy nạp",
  "Find the sink": "Tìm điểm hút",
  "Catch a broken mask": "Bắt lỗi mặt nạ",

  "the same token, earlier": "cùng token, ở phía trước",
  "the first position": "vị trí đầu tiên",
  "the previous position": "vị trí liền trước",
  "the place’s own token": "token của chính vị trí",
  "the second slot": "ngăn thứ hai",
  "The sequence, and under each place what the two layers expect next": "Chuỗi, và dưới mỗi vị trí là token mà hai lớp đoán sẽ đến tiếp theo",
  "expected next": "tiếp theo?",
  "layer 1 looks at": "lớp 1 nhìn vào",
  "layer 2 looks at": "lớp 2 nhìn vào",
  "Another sequence": "Chuỗi khác",
  "After a token that has been there before should come what followed it last time. Set both heads so that they find it.":
    "Sau một token đã từng xuất hiện phải đến token từng theo sau nó ở lần trước. Hãy đặt cả hai đầu sao cho chúng tìm ra token ấy.",
  "Layer 1": "Lớp 1",
  "Layer 2": "Lớp 2",
  "looks at": "nhìn vào",
  "and writes the token that it finds into the second slot of its place": "và ghi token tìm được vào ngăn thứ hai của vị trí mình",
  "its query reads": "truy vấn đọc",
  "its key reads": "khóa đọc",
  "its value reads": "giá trị đọc",
  "Layer {layer}: from {query} to {key} {weight}": "Lớp {layer}: từ {query} đến {key} {weight}",
  "Layer {layer}: {key} is later than {query}, and masked": "Lớp {layer}: {key} đứng sau {query} nên bị che",
  "Solved: right on this sequence and on {count} others. You have built an induction head: layer 1 tells each place what stood before it, layer 2 looks for the place that has your token there.":
    "Giải xong: đúng trên chuỗi này và trên {count} chuỗi khác. Bạn đã dựng được một đầu quy nạp (induction head): lớp 1 cho mỗi vị trí biết token nào đứng trước nó, lớp 2 tìm vị trí có token của bạn ở đó.",
  "cannot decide": "không quyết định được",
  "Not yet. At {token}: last time {followed} followed; your heads say: {guess}.":
    "Chưa đúng. Tại {token}: lần trước {followed} theo sau; các đầu của bạn nói: {guess}.",
  "Start with layer 1: what must a place know about its neighbour, so that others can find it?":
    "Hãy bắt đầu từ lớp 1: một vị trí phải biết gì về vị trí bên cạnh nó, để các vị trí khác tìm được nó?",
  "Layer 1 is right: each place now has in its second slot what stood before it. Which question of layer 2 finds a place that stood behind your token?":
    "Lớp 1 đã đúng: mỗi vị trí giờ có trong ngăn thứ hai token đứng ngay trước nó. Câu hỏi nào của lớp 2 tìm được vị trí đứng ngay sau token của bạn?",
  "Layer 2 looks at the right place. What should it bring from there?": "Lớp 2 nhìn đúng chỗ rồi. Nó nên mang gì về từ đó?",

  "an induction head": "một đầu quy nạp (induction head)",
  "a head that looks at everything a little": "một đầu nhìn mỗi chỗ một chút",
  "a sink": "một điểm hút (sink)",
  "a previous-token head": "một đầu token liền trước",
  "map {letter}": "bản đồ {letter}",
  "{letter} is the sink": "{letter} là điểm hút",
  "A head with nothing to fetch must still give its weight to something. Which of these four rests on the first token?":
    "Một đầu không có gì để lấy vẫn phải đặt trọng số vào đâu đó. Đầu nào trong bốn đầu này đặt nó vào token đầu tiên?",
  "The maps are invented for this exercise; rows ask, columns are looked at.": "Các bản đồ được tự đặt ra cho bài này; hàng là bên hỏi, cột là bên được nhìn.",
  "mean of A[i, 0]": "trung bình của A[i, 0]",
  "Yes. The {measure}, over all rows but the first, is {value}: most of what it gives goes to the first token, whatever that token is.":
    "Đúng. Tính trên mọi hàng trừ hàng đầu, {measure} là {value}: phần lớn trọng số của nó đặt vào token đầu tiên, dù token ấy là gì.",
  "A good look, but not this one: it is {name}. Its {measure}, over all rows but the first, is {value}; look for a first column that stands out.":
    "Nhìn kỹ đấy, nhưng không phải đầu này: đó là {name}. Tính trên mọi hàng trừ hàng đầu, {measure} của nó là {value}; hãy tìm bản đồ có cột đầu nổi bật.",

  "token {place}": "token {place}",
  "outputs of function {letter}": "kết quả của hàm {letter}",
  "Function {letter}": "Hàm {letter}",
  "leaks": "bị rò rỉ",
  "is sound": "đúng",
  "Check": "Kiểm tra",
  "Change a token. What moved is framed. An output may change only at that token and after it: which functions let the future in?":
    "Hãy đổi một token. Những gì thay đổi được đóng khung. Kết quả chỉ được đổi ở token ấy và sau nó: những hàm nào để lộ tương lai?",
  "A leaks: its mask is {mask}, so every token sees the next one. Change token 4 and the output at 3 moves.":
    "A bị rò rỉ: mặt nạ của nó là {mask}, nên mỗi token thấy token kế tiếp. Đổi token 4 thì kết quả ở 3 thay đổi.",
  "B is sound: what stands before the changed token stays the same to the last bit.": "B đúng: những gì đứng trước token bị đổi vẫn y nguyên đến từng bit.",
  "C leaks too, though none of its weights is on the future: it masks after the softmax, so the future is still in the sum that divides. Its row 1 adds up to {sum}, not to 1.":
    "C cũng bị rò rỉ, dù không có trọng số nào đặt vào tương lai: nó che sau softmax, nên tương lai vẫn nằm trong tổng ở mẫu số. Hàng 1 của nó có tổng {sum}, không phải 1.",
  "All three right.": "Đúng cả ba.",
  "Not all three yet; here is the evidence.": "Chưa đúng cả ba; đây là bằng chứng.",
  "changed from": "đổi từ",
  "The test that proves it: every token from here on is replaced by its opposite; how far the outputs before it move at most":
    "Phép thử chứng minh điều đó: mọi token từ đây trở đi được thay bằng vectơ đối; kết quả đứng trước nó thay đổi nhiều nhất bao nhiêu",
};
